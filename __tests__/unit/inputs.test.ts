import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jest } from '@jest/globals'
import { parse } from 'yaml'
import { extensionOf, type Inputs, readInputs } from '../../src/inputs.ts'

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
    boot: { timeout: 300, successPattern: null, memoryMiB: 1024, cpus: 2, accelerator: 'auto' },
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
    { image: 'ghcr.io/me/it:1.0@sha256:abc' },
    { source: { kind: 'image', reference: 'ghcr.io/me/it:1.0@sha256:abc' } }
  ],
  [{ 'output-dir': 'out/deep' }, { outputDir: expect.stringMatching(/out\/deep$/) }],
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

/** Wrong values: what the message says of the input, word for word up to what depends on the machine. */
const WRONG: [given: Record<string, string>, message: string | RegExp][] = [
  [{ context: 'gone' }, /^Input context is "gone", but there is no such folder \(looked in .*inputs .*\)\.$/],
  [{ context: 'Dockerfile' }, /^Input context is "Dockerfile", but there is no such folder/],
  [
    { context: 'sub folder' },
    /^Input context is "sub folder", but there is no file .*sub folder\/Dockerfile; add a Dockerfile there or name it with file\.$/
  ],
  [
    { file: 'Gone' },
    /^Input file is "Gone", but there is no file .*\/Gone; give the path of the Dockerfile\.$/
  ],
  [{ file: 'sub folder' }, /^Input file is "sub folder", but .*sub folder is not a file/],
  [
    { platform: 'linux/arm64' },
    'Input platform is "linux/arm64", but linux/amd64 is the only platform supported for now.'
  ],
  [{ platform: 'linux/amd64,linux/arm64' }, /^Input platform is "linux\/amd64,linux\/arm64", but/],
  [{ 'build-args': '"A=1' }, /^Input build-args is "\\"A=1", but a quoted item in it does not end as one/],
  [
    { 'build-contexts': 'base' },
    'Input build-contexts holds an item that is not of the form name=path; write name=path, one a line.'
  ],
  [
    { secrets: 'no value here' },
    'Input secrets holds an item that is not of the form id=value; write id=value, one a line.'
  ],
  [{ secrets: '../../etc/x=1' }, /^A secret's id is "\.\.\/\.\.\/etc\/x", but it has to consist of letters/],
  [{ 'secret-files': 'a=gone' }, 'Input secret-files is "a=gone", but there is no such file.'],
  [
    { 'secret-envs': 'a=GONE' },
    'Input secret-envs is "a=GONE", but there is no such environment variable; set it under env: of the step.'
  ],
  [{ 'no-cache': 'yes' }, 'Input no-cache is "yes", but it has to be true or false.'],
  [{ pull: '1' }, 'Input pull is "1", but it has to be true or false.'],
  [
    { image: '--privileged' },
    'Input image is "--privileged", but it has to be an image reference, such as debian:bookworm.'
  ],
  [{ image: 'a b' }, /^Input image is "a b", but it has to be an image reference/],
  [
    { image: 'debian', target: 'x', labels: 'a=b' },
    'Input image is "debian", but an image is not built: leave out target, labels.'
  ],
  [
    { hostname: 'under_score' },
    'Input hostname is "under_score", but it has to be at most 64 letters, digits, hyphens and dots, as in RFC 1123.'
  ],
  [{ hostname: `${'a'.repeat(60)}.${'b'.repeat(10)}` }, /^Input hostname is/],
  [
    { 'root-password': 'two\nlines' },
    'Input root-password holds a control character or more than 255 bytes; give one line of text.'
  ],
  [{ 'root-password': 'é'.repeat(128) }, /^Input root-password holds/],
  [
    { 'kernel-args': 'a=ü' },
    'Input kernel-args is "a=ü", but it has to be at most 1024 printable ASCII characters.'
  ],
  [{ 'serial-console': 'on' }, 'Input serial-console is "on", but it has to be true or false.'],
  [{ size: 'big' }, 'Input size is "big", but it has to be a number with a unit, such as 1500M, 2G or 2GiB.'],
  [{ size: '2' }, /^Input size is "2", but it has to be a number with a unit/],
  [{ size: '1M' }, 'Input size is "1M", but it has to be from 16.0 MiB to 8 TiB.'],
  [{ size: '100T' }, /^Input size is "100T", but it has to be from 16.0 MiB to 8 TiB\.$/],
  [{ 'extra-space': '-1G' }, /^Input extra-space is "-1G", but it has to be a number with a unit/],
  [{ filesystem: 'xfs' }, 'Input filesystem is "xfs", but it has to be one of ext4, ext3, ext2.'],
  [{ name: '../x' }, /^Input name is "\.\.\/x", but it has to be at most 128 bytes/],
  [{ name: '-rf' }, /^Input name is "-rf"/],
  [{ name: 'a\nb' }, /^Input name is "a\\nb"/],
  [{ name: 'a'.repeat(129) }, /^Input name is/],
  [
    { formats: 'qcow3, raw, iso\nraw.bz2 raw.gz.gz' },
    'Input formats is "qcow3, iso, raw.bz2, raw.gz.gz", but each format has to be one of raw, qcow2, vmdk, vdi, vhd, vhdx, each also with .zst, .gz, .xz.'
  ],
  [{ formats: ' , ' }, /^Input formats is "", but each format has to be one of/],
  [{ 'output-dir': 'Dockerfile' }, 'Input output-dir is "Dockerfile", but that exists and is not a folder.'],
  [{ 'upload-artifact': 'no' }, 'Input upload-artifact is "no", but it has to be true or false.'],
  [
    { 'retention-days': '0' },
    'Input retention-days is "0", but it has to be a whole number of days from 1 to 400.'
  ],
  [{ 'retention-days': '1.5' }, /^Input retention-days is "1\.5"/],
  [{ 'boot-test': 'maybe' }, 'Input boot-test is "maybe", but it has to be true or false.'],
  [
    { 'boot-timeout': '5m' },
    'Input boot-timeout is "5m", but it has to be a whole number of seconds from 1 to 21600.'
  ],
  [
    { 'boot-success-pattern': '(' },
    /^Input boot-success-pattern is "\(", but it is not a regular expression/
  ],
  [
    { 'boot-success-pattern': '.*' },
    'Input boot-success-pattern is ".*", but it matches an empty line; name what the line has to hold.'
  ],
  [{ memory: '1024' }, /^Input memory is "1024", but it has to be a number with a unit/],
  [{ memory: '1M' }, 'Input memory is "1M", but it has to be from 64.0 MiB to 8 TiB.'],
  [{ cpus: '0' }, 'Input cpus is "0", but it has to be a whole number of processors from 1 to 64.'],
  [{ accelerator: 'hvf' }, 'Input accelerator is "hvf", but it has to be one of auto, kvm, tcg.'],
  [{ 'install-tools': '' }, 'Input install-tools is "", but it has to be true or false.']
]

test.each(WRONG)('%j is refused', (given, message) => {
  expect(() => read(given)).toThrow(message)
})

test('every wrong input is named at once', () => {
  expect(() => read({ size: 'x', cpus: 'y', formats: 'z' })).toThrow(
    /Input size .*\n.*Input formats .*\n.*Input cpus /
  )
})

test('each input that can be wrong has a case above', () => {
  const free = ['target', 'ssh', 'labels', 'add-hosts', 'cache-from', 'cache-to', 'network', 'builder']
  const covered = new Set(WRONG.flatMap(([given]) => Object.keys(given)))
  expect(Object.keys(action.inputs).filter(name => !covered.has(name) && !free.includes(name))).toEqual([])
})
