import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jest } from '@jest/globals'
import { parse } from 'yaml'
import { extensionOf, type Inputs, readInputs } from '../../src/inputs.ts'
import { WRONG } from '../support/wrong-inputs.ts'

const action = parse(readFileSync(new URL('../../action.yml', import.meta.url), 'utf8'))
const saved = { env: process.env, cwd: process.cwd() }
let folder: string
let written: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'inputs '))
  mkdirSync(join(folder, 'sub folder'))
  writeFileSync(join(folder, 'Dockerfile'), 'FROM scratch\n')
  writeFileSync(join(folder, 'sub folder', 'Other'), 'FROM scratch\n')
  process.chdir(folder)
  written = ''
  jest.spyOn(process.stdout, 'write').mockImplementation(text => {
    written += text
    return true
  })
})

afterEach(() => {
  jest.restoreAllMocks()
  process.env = saved.env
  process.chdir(saved.cwd)
  rmSync(folder, { recursive: true })
})

/** Reads inputs as the runner hands them over: defaults of action.yml where nothing is given. */
function read(
  given: Record<string, string> = {},
  env: Record<string, string> = { GITHUB_REPOSITORY: 'me/appliance' }
): Inputs {
  const variables = Object.entries<{ default?: string }>(action.inputs).map(([name, input]) => [
    `INPUT_${name.toUpperCase()}`,
    given[name] ?? input.default ?? ''
  ])
  process.env = { ...env, ...Object.fromEntries(variables) }
  return readInputs()
}

const build = (given: Record<string, string>): Record<string, unknown> => {
  const { source } = read(given)
  return source.kind === 'build' ? source.build : {}
}

test('the defaults', () => {
  expect(read()).toEqual({
    source: {
      kind: 'build',
      build: {
        context: folder,
        file: null,
        target: null,
        buildArgs: [],
        buildContexts: [],
        secrets: [],
        ssh: [],
        labels: [],
        addHosts: [],
        cacheFrom: [],
        cacheTo: [],
        noCache: false,
        pull: false,
        network: null,
        builder: null
      }
    },
    platform: 'linux/amd64',
    installSystem: 'auto',
    kernel: 'cloud',
    entrypointService: false,
    network: 'dhcp',
    user: null,
    authorizedKeys: [],
    hostname: null,
    rootPassword: null,
    kernelArgs: '',
    serialConsole: true,
    sizeBytes: null,
    extraSpaceBytes: 256 * 1024 ** 2,
    filesystem: 'ext4',
    name: 'appliance',
    formats: [{ container: 'qcow2', compression: null }],
    outputDir: null,
    uploadArtifact: true,
    retentionDays: null,
    maxImageBytes: null,
    boot: {
      timeout: 300,
      successPattern: null,
      memoryMiB: 1024,
      cpus: 2,
      accelerator: 'auto',
      expectations: [],
      diskBus: 'auto',
      networkCard: 'auto',
      matrix: [],
      scripts: [],
      testTimeout: 300,
      checkPersistence: false,
      failOnFailedUnits: false,
      maxSeconds: null
    },
    installTools: true
  })
})

test.each([
  ['one a line', 'A=1\nB=2', ['A=1', 'B=2']],
  ['commas stay', 'A=1,2\nB=x, y', ['A=1,2', 'B=x, y']],
  ['quotes inside stay', 'A="1" \'2\'\nB=it"s', ['A="1" \'2\'', 'B=it"s']],
  ['quotes after commas stay', 'A=x,"y,z"', ['A=x,"y,z"']],
  ['dollars, backslashes and shell text stay', 'A=$HOME $(id) `id` \\n', ['A=$HOME $(id) `id` \\n']],
  ['newlines in a quoted item', '"A=1\n2 ""q"" "\nB=2', ['A=1\n2 "q" ', 'B=2']],
  ['blank lines and blanks around items go', '  A=1  \n\n\r\n   B=2', ['A=1', 'B=2']],
  ['options are items', '--privileged\n-v /:/host', ['--privileged', '-v /:/host']],
  ['a hash is no comment', '#A=1', ['#A=1']]
])('build-args: %s', (_, value, items) => {
  expect(build({ 'build-args': value }).buildArgs).toEqual(items)
})

test('file is relative to the working folder, the context absolute', () => {
  expect(build({ context: 'sub folder', file: 'sub folder/Other' })).toMatchObject({
    context: join(folder, 'sub folder'),
    file: join(folder, 'sub folder', 'Other')
  })
})

test.each(['https://github.com/me/it.git#main', 'git@github.com:me/it.git', 'github.com/me/it'])(
  'remote context %s is left to Docker',
  context => {
    expect(build({ context, file: 'docker/Dockerfile' })).toMatchObject({
      context,
      file: 'docker/Dockerfile'
    })
  }
)

test('secrets of each kind, masked before anything else', () => {
  writeFileSync('token', 'x')
  const env = { GITHUB_REPOSITORY: 'me/it', MY_TOKEN: 'from the environment' }
  const { source } = read(
    {
      secrets: 'a=p=q r\n"b=two\nlines"',
      'secret-files': 'c=token',
      'secret-envs': 'd=MY_TOKEN',
      'root-password': ' pass word '
    },
    env
  )
  expect(source).toMatchObject({
    build: {
      secrets: [
        { id: 'a', value: 'p=q r' },
        { id: 'b', value: 'two\nlines' },
        { id: 'c', path: join(folder, 'token') },
        { id: 'd', variable: 'MY_TOKEN' }
      ]
    }
  })
  for (const secret of [' pass word ', 'p=q r', 'two%0Alines', 'from the environment'])
    expect(written).toContain(`::add-mask::${secret}\n`)
})

test.each([
  ['raw', [['raw', null]]],
  [
    'raw, qcow2\nvmdk',
    [
      ['raw', null],
      ['qcow2', null],
      ['vmdk', null]
    ]
  ],
  [
    'raw.zst,raw.gz raw.xz',
    [
      ['raw', 'zst'],
      ['raw', 'gz'],
      ['raw', 'xz']
    ]
  ],
  [
    'vhd,vhdx,vdi,qcow2.zst,vhd',
    [
      ['vhd', null],
      ['vhdx', null],
      ['vdi', null],
      ['qcow2', 'zst']
    ]
  ]
])('formats %j', (formats, expected) => {
  expect(read({ formats }).formats).toEqual(
    expected.map(([container, compression]) => ({ container, compression }))
  )
  expect(read({ formats }).formats.map(extensionOf)[0]).toBe(formats.split(/[\s,]/)[0])
})

test.each([
  [{ name: 'a b $(c)' }, { name: 'a b $(c)' }],
  [{ size: '1500M' }, { sizeBytes: 1500 * 1024 ** 2 }],
  [{ size: '2GB' }, { sizeBytes: Math.ceil(2e9 / 1024 ** 2) * 1024 ** 2 }],
  [{ 'extra-space': '0M' }, { extraSpaceBytes: 0 }],
  [{ 'kernel-args': 'quiet\n  nomodeset ' }, { kernelArgs: 'quiet nomodeset' }],
  [{ 'boot-test': 'false' }, { boot: null }],
  [
    { 'boot-success-pattern': '^READY (\\d+)' },
    { boot: expect.objectContaining({ successPattern: /^READY (\d+)/ }) }
  ],
  [
    { memory: '2G', cpus: '4', accelerator: 'tcg' },
    { boot: expect.objectContaining({ memoryMiB: 2048, cpus: 4, accelerator: 'tcg' }) }
  ],
  [
    { 'boot-matrix': 'sata, virtio\nsata', 'network-card': 'e1000' },
    { boot: expect.objectContaining({ matrix: ['sata', 'virtio'], networkCard: 'e1000' }) }
  ],
  [
    { 'expect-port': '22\n443\n22', 'expect-http': '8080/health?a=b=200\n80=404' },
    {
      boot: expect.objectContaining({
        expectations: [
          { kind: 'port', port: 22 },
          { kind: 'port', port: 443 },
          { kind: 'http', port: 8080, path: '/health?a=b', status: 200 },
          { kind: 'http', port: 80, path: '/', status: 404 }
        ]
      })
    }
  ],
  [
    { image: 'ghcr.io/me/it:1.0@sha256:abc' },
    { source: { kind: 'image', reference: 'ghcr.io/me/it:1.0@sha256:abc' } }
  ],
  [{ 'output-dir': 'out/deep' }, { outputDir: expect.stringMatching(/out\/deep$/) }],
  [
    { 'max-boot-seconds': '30', 'max-image-size': '500M' },
    { boot: expect.objectContaining({ maxSeconds: 30 }), maxImageBytes: 500 * 1024 ** 2 }
  ],
  [{ 'retention-days': '5' }, { retentionDays: 5 }],
  [{ hostname: 'box-1.example.org' }, { hostname: 'box-1.example.org' }]
])('%j is read', (given, expected) => {
  expect(read(given as Record<string, string>)).toMatchObject(expected)
})

test.each([
  ['me/My Repo!', 'My-Repo-'],
  ['me/..hidden', 'hidden'],
  ['me/---', 'disk']
])('the name from repository %s', (GITHUB_REPOSITORY, name) => {
  expect(read({}, { GITHUB_REPOSITORY }).name).toBe(name)
})

test('the name from the folder, outside of a repository', () => {
  expect(read({}, {}).name).toMatch(/^inputs-/)
})

test.each(WRONG)('%j is refused', (given, message) => {
  expect(() => read(given)).toThrow(message)
})

test('test scripts, inline first, then files in the order of the patterns, each once', () => {
  const { boot } = read({
    'test-script': 'echo one\nexit 7',
    'test-scripts': 'sub folder/*\nDocker*\nsub*/Other'
  })
  expect(boot?.scripts).toEqual([
    { name: 'test-script', content: 'echo one\nexit 7\n' },
    { name: 'sub folder/Other', content: Buffer.from('FROM scratch\n') },
    { name: 'Dockerfile', content: Buffer.from('FROM scratch\n') }
  ])
})

test('every wrong input is named at once', () => {
  expect(() => read({ size: 'x', cpus: 'y', formats: 'z' })).toThrow(
    /Input size .*\n.*Input formats .*\n.*Input cpus /
  )
})

test('each input that can be wrong has a case above', () => {
  const free = ['test-script', 'target', 'ssh', 'labels', 'add-hosts', 'cache-from', 'cache-to', 'builder']
  const covered = new Set(WRONG.flatMap(([given]) => Object.keys(given)))
  expect(Object.keys(action.inputs).filter(name => !covered.has(name) && !free.includes(name))).toEqual([])
})

test.each([
  [{ network: 'none' }, 'none', null],
  [{ network: 'host' }, 'dhcp', 'host'],
  [{ network: 'dhcp', 'build-network': 'none' }, 'dhcp', 'none'],
  [{ network: 'none', 'build-network': 'host' }, 'none', 'host']
])('%j is the network of the machine, or of the build', (given, machine, ofBuild) => {
  expect(read(given).network).toBe(machine)
  expect(build(given).network).toBe(ofBuild)
})

test('authorized-keys are lines of authorized_keys, without comments and blank lines', () => {
  const blob = 'AAAAC3NzaC1lZDI1NTE5AAAAIGJ1dHRlcmZsaWVzIGFyZSBub3Qga2V5cyBhdCBhbGw='
  const keys = [
    `ssh-ed25519 ${blob} me@home`,
    `from="10.0.0.0/8",no-pty ssh-rsa ${blob}`,
    `sk-ssh-ed25519@openssh.com ${blob}`,
    `ecdsa-sha2-nistp256 ${blob} two words`
  ]
  expect(read({ 'authorized-keys': `# mine\n\n  ${keys.join('\r\n')}\n` }).authorizedKeys).toEqual(keys)
})

test('the user root is the user that is there', () => {
  expect(read({ user: 'root' }).user).toBeNull()
  expect(read({ user: 'admin' }).user).toBe('admin')
})
