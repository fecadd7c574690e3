import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ALPINE, asRoot, type Bench, inImage, useBench } from '../support/e2e.ts'

const bench = useBench('debian:bookworm', 'alpine:3.20')

const SBIN = '/usr/sbin:/sbin'
/** A docker that has BuildKit, and the PATH on which it is the first; null if there is none. */
function withBuildKit(): string | null {
  const folders = [...new Set([...(process.env.PATH ?? '').split(':'), '/usr/local/bin', '/usr/bin'])]
  const docker = (folder: string, ...args: string[]): string => {
    try {
      return execFileSync(join(folder, 'docker'), args, {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore']
      })
    } catch {
      return ''
    }
  }
  for (const folder of folders.filter(folder => existsSync(join(folder, 'docker')))) {
    const hasBuildx = docker(folder, 'buildx', 'version') !== ''
    const version = Number.parseInt(docker(folder, 'version', '--format', '{{.Client.Version}}'), 10)
    if (hasBuildx || version < 23) return `${folder}:/usr/bin:/bin:${SBIN}`
  }
  return null
}
const buildKit = withBuildKit()

const COMMANDS = [
  '::set-output name=image::pwned',
  '  ::set-output name=report::pwned',
  '::save-state name=run::pwned',
  '::add-mask::Alpine',
  '##[add-mask]Alpine',
  'text before ##[add-mask]Alpine',
  '##[set-output name=image]pwned',
  '::error title=pwned::pwned',
  '::warning::pwned',
  '##[error]pwned',
  '::group::pwned',
  '::stop-commands::pwned',
  '::add-matcher::/etc/passwd',
  '::add-path::/tmp',
  '::set-env name=PATH::/tmp',
  '::debug::pwned',
  '::echo::on'
]
/** As printf(1) prints them, with a line that a carriage return begins and one that .NET takes for blank before it. */
const PRINTED = [
  ...COMMANDS,
  'x\\r::add-mask::Alpine',
  '\\302\\205::add-mask::Alpine',
  '\\033[1m::add-mask::Alpine'
]
const printf = (words: readonly string[]): string =>
  `printf '%b\\n' ${words.map(word => `'${word}'`).join(' ')}`

function expectNothingObeyed(run: Awaited<ReturnType<Bench['run']>>): void {
  expect(run.annotations).toEqual([])
  expect(run.state.run).toMatch(/^[0-9a-f]{12}$/)
  expect(Object.values(run.outputs)).not.toContain('pwned')
  expect(run.outputs.image).toMatch(/\.raw$/)
  expect(run.outputs.report).toMatch(/\.report\.json$/)
  expect(run.log).not.toContain('***')
  // Printed after them, and obeyed: commands were not stopped.
  expect(run.log).toMatch(/^##\[group\]Publish$/m)
  expect(
    run.rawLog.split('\n').filter(line => /##\[|^[\s\u0085]*::(?!group|endgroup|debug::as root)/.test(line))
  ).toEqual([])
}

test('a guest console that prints workflow commands: nothing of them takes effect', async () => {
  const checkout = bench.context('')
  cpSync(ALPINE, checkout, { recursive: true })
  writeFileSync(join(checkout, 'talk'), `#!/bin/sh\n${printf(PRINTED)} > /dev/ttyS0\n`, { mode: 0o755 })
  const inittab = readFileSync(join(ALPINE, 'inittab'), 'utf8')
  writeFileSync(
    join(checkout, 'inittab'),
    inittab.replace('ttyS0::respawn', '::wait:/bin/sh /talk\nttyS0::respawn')
  )
  const dockerfile = readFileSync(join(ALPINE, 'Dockerfile'), 'utf8')
  writeFileSync(join(checkout, 'Dockerfile'), `${dockerfile}\nCOPY talk /talk\n`)
  const run = await bench.succeed({ checkout, inputs: { formats: 'raw', 'upload-artifact': 'false' } })
  expectNothingObeyed(run)
  expect(
    run.log.split('\n').filter(line => line.startsWith('guest │ ') && line.includes('pwned')).length
  ).toBeGreaterThan(8)
})

const printing = `FROM alpine:3.20
RUN ${printf(PRINTED)} && ${printf(PRINTED)} >&2
RUN mkdir /boot && echo kernel > /boot/vmlinuz-1.0
`
test.each([
  ['the legacy builder', { DOCKER_BUILDKIT: '0' }, undefined],
  ['BuildKit', {}, buildKit]
])('a build by %s that prints workflow commands: nothing of them takes effect', async (_, env, path) => {
  if (path === null) return process.stderr.write('No docker with BuildKit here: not tried with it.\n')
  const run = await bench.succeed({
    checkout: bench.context(printing),
    env: env as Record<string, string>,
    ...(path && { path }),
    inputs: { formats: 'raw', 'boot-test': 'false', 'upload-artifact': 'false', 'no-cache': 'true' }
  })
  expectNothingObeyed(run)
  expect(run.log.match(/pwned/g)?.length).toBeGreaterThan(16)
  return undefined
})

test('secrets are in no argv, log, layer, history, report, summary or artifact', async () => {
  if (buildKit === null) return process.stderr.write('No docker with BuildKit here: secrets not tried.\n')
  const secret = (name: string): string => `${name}-${Math.random().toString(36).slice(2)}-s3cr3t`
  const [inline, variable, fromFile, password] = ['inline', 'variable', 'file', 'password'].map(secret) as [
    string,
    string,
    string,
    string
  ]
  const values = [inline, variable, fromFile, password]
  const label = `docker-to-disk-test=${secret('label')}`
  const checkout = bench.context(`FROM alpine:3.20
RUN --mount=type=secret,id=inline --mount=type=secret,id=variable --mount=type=secret,id=file \\
  cat /run/secrets/inline /run/secrets/variable && for id in inline variable file; do \\
  sha256sum < /run/secrets/$id; done > /sums && sleep 1 && mkdir /boot && echo kernel > /boot/vmlinuz-1.0
`)
  writeFileSync(join(checkout, 'token'), fromFile)

  const seen = new Set<string>()
  let samples = 0
  const sampler = setInterval(() => {
    samples++
    for (const pid of readdirSync('/proc')) {
      if (!/^\d+$/.test(pid)) continue
      try {
        seen.add(readFileSync(`/proc/${pid}/cmdline`, 'latin1'))
      } catch {
        // ended meanwhile
      }
    }
  }, 4)
  const run = await bench
    .succeed({
      checkout,
      path: buildKit,
      env: { SECRET_VARIABLE: variable },
      inputs: {
        name: 'secret',
        secrets: `inline=${inline}`,
        'secret-envs': 'variable=SECRET_VARIABLE',
        'secret-files': 'file=token',
        'root-password': password,
        labels: label,
        'no-cache': 'true',
        formats: 'raw',
        'boot-test': 'false'
      }
    })
    .finally(() => clearInterval(sampler))
  expect(samples).toBeGreaterThan(100)
  // The sampling sees what it is to see.
  expect([...seen].some(line => line.includes('id=inline'))).toBe(true)

  const id = execFileSync('docker', ['images', '--quiet', '--filter', `label=${label}`], {
    encoding: 'utf8'
  }).trim()
  expect(id).toMatch(/^[0-9a-f]{12}$/)
  const layers = execFileSync('docker', ['save', id], { maxBuffer: 1 << 28 }).toString('latin1')
  const history = execFileSync('docker', ['history', '--no-trunc', id], { encoding: 'utf8' })
  execFileSync('docker', ['image', 'rm', '--force', id], { stdio: 'ignore' })
  const published = [...bench.results.artifacts.values()].map(({ name, file }) => {
    const found = values.filter(value => {
      try {
        execFileSync('grep', ['-aqF', '-e', value, file])
        return true
      } catch {
        return false
      }
    })
    return [name, found]
  })
  expect(published).toEqual(['secret.raw', 'secret.SHA256SUMS', 'secret.report.json'].map(name => [name, []]))
  const silent = run.rawLog.split('\n').filter(line => !line.startsWith('::add-mask::'))
  for (const value of values) {
    expect([...seen].filter(line => line.includes(value))).toEqual([])
    for (const text of [run.log, run.summary, layers, history, JSON.stringify([run.outputs, run.state])])
      expect(text).not.toContain(value)
  }
  // The build printed two of them: they were masked. The others nobody printed.
  expect(run.log).toContain('***')
  for (const value of [fromFile, password]) expect(silent.join('\n')).not.toContain(value)
  inImage(run.outputs.image ?? '', at => {
    expect(asRoot('cat', join(at, 'sums')).trim().split('\n')).toHaveLength(3)
    expect(asRoot('cat', join(at, 'etc/shadow'))).toMatch(/^root:\$6\$rounds=100000\$/m)
  })
  return undefined
})
