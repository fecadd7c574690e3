import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'
import { asRoot, Bench, inImage } from '../support/e2e.ts'
import { fingerprint, importImage, removeImage, withFiles } from '../support/hostile.ts'
import { REPOSITORY, type RunResult } from '../support/runner.ts'

const bench = new Bench()
const manifest = parse(readFileSync(join(REPOSITORY, 'action.yml'), 'utf8'))
const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const TAG = 'docker-to-disk-test:inputs'

const shims = mkdtempSync(join(tmpdir(), 'shims-'))
const record = join(shims, 'record')
/** What any shell on the way would make. */
const pwned = join(tmpdir(), `pwned-${process.pid}`)

/** Records the argv of a program and answers with `answer`, a shell script. */
function shim(folder: string, program: string, answer: string): string {
  mkdirSync(join(shims, folder), { recursive: true })
  const script = `#!/bin/sh\nprintf '%s\\0' "$(($# + 1))" ${program} "$@" >> ${record}\n${answer}\n`
  writeFileSync(join(shims, folder, program), script, { mode: 0o755 })
  return `${join(shims, folder)}:${SYSTEM_PATH}`
}

/** Commands recorded since the last call. */
function recorded(): string[][] {
  const words = readFileSync(record, 'utf8').split('\0').slice(0, -1)
  writeFileSync(record, '')
  const commands: string[][] = []
  while (words.length > 0) commands.push(words.splice(0, Number(words.shift())))
  return commands
}

beforeAll(async () => {
  chmodSync(shims, 0o755)
  writeFileSync(record, '')
  chmodSync(record, 0o666)
  await bench.begin()
  await importImage(TAG, withFiles([]))
})
let cases = 0
afterAll(async () => {
  await bench.end()
  removeImage(TAG)
  rmSync(shims, { recursive: true })
  process.stderr.write(
    `Hostile inputs: ${cases} values, each with its exact effect or message; none reached a shell\n`
  )
})

/** Nothing that the inputs say has taken effect in the runner. */
function expectInert(run: RunResult): void {
  expect(existsSync(pwned)).toBe(false)
  expect(Object.keys(manifest.outputs)).toEqual(expect.arrayContaining(Object.keys(run.outputs)))
  expect(['begun', 'run', 'packages']).toEqual(expect.arrayContaining(Object.keys(run.state)))
  expect(run.state.run).toMatch(/^[0-9a-f]{12}$/)
  expect(run.outputs.image ?? '').not.toContain('pwned\n')
  expect(run.log).not.toContain('***')
  for (const { title } of run.annotations) expect(title).not.toBe('')
}

const VALUES = [
  '--privileged',
  '-v /:/host',
  '--output=type=local,dest=/',
  '--file=/etc/passwd',
  '-',
  '--',
  '..',
  '../../../etc/passwd',
  `$(touch ${pwned})`,
  `\`touch ${pwned}\``,
  `; touch ${pwned};`,
  `| touch ${pwned}`,
  `&& touch ${pwned} &`,
  `'; touch ${pwned}; '`,
  `" ; touch ${pwned} ; "`,
  `\${IFS}touch\${IFS}${pwned}`,
  `x\ntouch ${pwned}\ny`,
  'type=local,src=/,dest=/etc',
  'a b\tc  d',
  '"quoted", \'twice\', \\back\\slash',
  'x\n::set-output name=image::pwned\ny',
  'x\n::save-state name=run::pwned\ny',
  'x\r::add-mask::Docker\ry',
  '##[add-mask]Docker',
  '\u0085::add-mask::Docker\u0085x',
  '%0A::error::pwned%0D',
  'x\n::stop-commands::pwned\ny',
  'image<<EOF\npwned\nEOF',
  'ghadelimiter_00000000-0000-0000-0000-000000000000\nimage=pwned\nx',
  '\u001b]0;pwned\u0007\u001b[2Jx',
  'ünïcode ☃ \u{1f4a3}'
]

describe('what goes to Docker arrives there as it was given', () => {
  // Says all that it was given, as a build would that prints it.
  const says = `case "$1" in
version) echo 99.0.0 ;;
buildx) [ "$2" = version ] && exit 0; printf '%s\\n' "$@"; printf '%s\\n' "$@" >&2; exit 7 ;;
esac`
  const csv = (value: string): string => `"${value.replaceAll('"', '""')}"`

  test.each(VALUES)('%j', async value => {
    const path = shim('docker', 'docker', says)
    const { run, title, message } = await bench.fail({
      checkout: bench.context('FROM scratch\n'),
      path,
      post: false,
      inputs: {
        target: value,
        network: value,
        builder: value,
        'build-args': `${csv(value)}\n${csv(`A=${value}`)}`,
        'build-contexts': csv(`base=${value}`),
        labels: csv(`label=${value}`),
        'add-hosts': csv(value),
        'cache-from': csv(value),
        'cache-to': csv(value),
        ssh: csv(value)
      }
    })
    cases += 10
    expect(title).toBe('Docker build failed')
    expect(message).toContain('docker failed with exit code 7')
    expectInert(run)
    const argv = recorded().find(command => command[1] === 'buildx' && command[2] === 'build') ?? []
    // The runner's toolkit trims the value of an input.
    const trimmed = value.trim()
    const flags: [string, string][] = [
      ['--builder', trimmed],
      ['--target', trimmed],
      ['--network', trimmed],
      ['--build-arg', value],
      ['--build-arg', `A=${value}`],
      ['--build-context', `base=${value}`],
      ['--ssh', value],
      ['--label', `label=${value}`],
      ['--add-host', value],
      ['--cache-from', value],
      ['--cache-to', value]
    ]
    expect(argv.slice(0, 8)).toEqual([
      'docker',
      'buildx',
      'build',
      '--load',
      '--progress',
      'plain',
      '--platform',
      'linux/amd64'
    ])
    expect(argv[8]).toBe('--iidfile')
    expect(argv.slice(10)).toEqual([...flags.flat(), '--', run.workspace])
  })
})

describe('what has a form of its own is refused, all at once', () => {
  test.each(VALUES)('%j', async value => {
    const given = [
      'image',
      'hostname',
      'platform',
      'filesystem',
      'size',
      'memory',
      'cpus',
      'accelerator',
      'retention-days',
      'boot-timeout',
      'serial-console'
    ]
    const { run, title, message } = await bench.fail({
      post: false,
      inputs: Object.fromEntries(given.map(name => [name, value]))
    })
    cases += given.length
    expect(title).toBe('Wrong input')
    const lines = message.split('\n')
    expect(lines).toHaveLength(given.length)
    // As JSON, with what would work in a log or a terminal taken out.
    for (const name of given)
      expect(lines.filter(line => line.startsWith(`Input ${name} is "`))).toHaveLength(1)
    expect(run.outputs).toEqual({})
    expect(run.state).toEqual({ begun: 'true' })
    expect(existsSync(pwned)).toBe(false)
    expect(run.log).not.toContain('***')
  })
})

const REFUSED_NAMES = [
  '--privileged',
  '..',
  'a\nb',
  '##[add-mask]disk',
  '../../x',
  '.hidden',
  'a\u0085b',
  'a"b',
  'a\\b'
]
test.each(REFUSED_NAMES)('name %j is refused', async name => {
  const { message } = await bench.fail({ post: false, inputs: { image: TAG, name } })
  cases++
  expect(message).toMatch(/^Input name is ".*", but it has to be at most 128 bytes/)
})

test.each([
  [
    'output-dir',
    'a\nimage=pwned',
    /^Input output-dir is "a\\nimage=pwned", but it has to be a path without control/
  ],
  ['kernel-args', 'a\u0007b', /^Input kernel-args is/],
  ['kernel-args', 'ü', /^Input kernel-args is/],
  ['boot-success-pattern', '$(x', /^Input boot-success-pattern is .* not a regular expression/],
  ['secrets', '..=x', /^A secret's id is "\.\."/]
])('%s %j is refused', async (name, value, message) => {
  const failed = await bench.fail({
    post: false,
    checkout: bench.context('FROM scratch\n'),
    inputs: { [name]: value }
  })
  cases++
  expect(failed.title).toMatch(/Wrong input|Docker/)
  expect(failed.message).toMatch(message)
})

describe('what becomes a name or a text of the machine becomes exactly that', () => {
  const real = execFileSync('which', ['sudo'], { encoding: 'utf8' }).trim()
  test.each([
    [`a $(touch ${'pwned'}) b`, 'out ?x=1,2 `id`', "quiet 'a b' $(id) ; reboot"],
    ["it's; a & b | c", '-rf', '--append "x" %s %n'],
    ['%0A::error x', '--privileged/$(id)', 'init=/bin/sh -- -c `id`'],
    ['ünï ☃', "it's ünï, ☃", '##[add-mask]Disk ::error::x']
  ])('name %j, output-dir %j, kernel-args %j', async (given, folder, kernelArgs) => {
    const path = shim('sudo', 'sudo', `exec ${real} "$@"`)
    const name = given.replace(':', '').replace(':', '').replaceAll('|', '')
    const run = await bench.succeed({
      path,
      inputs: {
        image: TAG,
        name,
        'output-dir': folder,
        'kernel-args': kernelArgs,
        formats: 'raw qcow2 vmdk.gz vdi',
        'boot-test': 'false',
        'upload-artifact': 'false'
      }
    })
    cases += 3
    const image = join(run.workspace, folder, `${name}.raw`)
    expect(run.outputs).toMatchObject({ image, 'boot-result': 'skipped' })
    expectInert(run)
    // The image's init is none that is known.
    expect(run.annotations.map(({ level, title }) => [level, title])).toEqual([
      ['warning', 'About the machine']
    ])
    inImage(image, at => {
      expect(asRoot('cat', join(at, 'boot/extlinux/syslinux.cfg'))).toContain(
        ` console=ttyS0,115200 ${kernelArgs}\n`
      )
    })
    const programs = new Set<string>()
    for (const [, ...argv] of recorded()) {
      expect(argv.slice(0, 1)).toEqual(['-n'])
      const program = argv[1] === '--' ? argv[2] : argv[1]
      programs.add(program ?? '')
    }
    const report = JSON.parse(readFileSync(run.outputs.report ?? '', 'utf8'))
    const expected = [...report.rootPrograms, 'true', 'losetup', 'umount']
    expect([...programs].filter(program => !expected.includes(program))).toEqual([])
    expect(report.rootPrograms.filter((program: string) => !programs.has(program))).toEqual([])
    const table = readFileSync(join(REPOSITORY, 'SECURITY.md'), 'utf8')
      .split('\n')
      .filter(line => /^\| `/.test(line))
    for (const program of programs) expect(table.join('\n')).toContain(`\`${program}\``)
    for (const file of (run.outputs.files ?? '').split('\n'))
      expect(fingerprint(file)[0]).toContain(` ${asRoot('stat', '--format', '%u %g', run.home).trim()} `)
  })
})

test('links that the workspace holds under the names of results are replaced, not followed', async () => {
  const checkout = bench.context('FROM scratch\n')
  const target = mkdtempSync(join(tmpdir(), 'canary-'))
  try {
    chmodSync(target, 0o777)
    mkdirSync(join(checkout, 'out'))
    const names = [
      ...['disk.raw', 'disk.report.json', 'disk.console.log', 'disk.screenshot.png'],
      ...['SHA256SUMS', 'disk.SHA256SUMS']
    ]
    for (const name of names) {
      writeFileSync(join(target, name), 'canary')
      chmodSync(join(target, name), 0o666)
      symlinkSync(join(target, name), join(checkout, 'out', name))
    }
    const before = fingerprint(target)
    const inputs = {
      image: TAG,
      name: 'disk',
      'output-dir': 'out',
      formats: 'raw',
      'upload-artifact': 'false'
    }
    await bench.succeed({ checkout, inputs: { ...inputs, 'boot-test': 'false' } })
    // It has no kernel: its console is published alone.
    const { title } = await bench.fail({
      checkout,
      inputs: { ...inputs, accelerator: 'tcg', 'boot-timeout': '20' }
    })
    expect(title).toBe('Boot check failed')
    cases += names.length
    expect(fingerprint(target)).toEqual(before)
  } finally {
    rmSync(target, { recursive: true })
  }
})

describe('an image that conversion damaged is not published', () => {
  const real = execFileSync('which', ['qemu-img'], { encoding: 'utf8' }).trim()
  test.each([
    // In its last block of data, which the comparison finds, and in its tables, which the check finds.
    [
      'vdi',
      `printf damaged | dd of="$last" bs=1 seek=$(($(stat -c %s "$last") - 4096)) conv=notrunc 2>/dev/null`
    ],
    ['qcow2', `printf '\\377\\377\\377' | dd of="$last" bs=1 seek=65541 conv=notrunc 2>/dev/null`]
  ])('%s', async (format, damage) => {
    const path = shim(
      `damage-${format}`,
      'qemu-img',
      `${real} "$@" || exit\nif [ "$1" = convert ]; then for last; do :; done; ${damage}; fi`
    )
    const { run, title, message } = await bench.fail({
      path,
      inputs: { image: TAG, name: 'disk', formats: format, 'boot-test': 'false', 'upload-artifact': 'false' }
    })
    expect(title).toBe('Damaged image')
    expect(message).toContain(`The ${format} made does not hold what the disk holds.`)
    expect(run.outputs.files).toBeUndefined()
    expect(recorded().map(([, command]) => command)).toContain('convert')
  })
})
