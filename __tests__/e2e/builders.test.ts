import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { installBuildx } from '../support/buildx.ts'
import { asRoot, Bench, inImage } from '../support/e2e.ts'
import { ensureBaseImage } from '../support/images.ts'

const bench = new Bench()
let root: string
beforeAll(async () => {
  await ensureBaseImage('alpine:3.20')
  await bench.begin()
  root = mkdtempSync(join(tmpdir(), 'runner-'))
  installBuildx(join(root, 'home'))
})
afterAll(async () => {
  await bench.end()
  rmSync(root, { recursive: true, force: true })
})

const DISTRIBUTION_PATH = '/usr/sbin:/usr/bin:/sbin:/bin'
const INPUTS = { 'boot-test': 'false', 'upload-artifact': 'false', formats: 'raw' }

/** Bootable enough for an image without boot check. */
const SYSTEM = 'RUN mkdir -p /boot && echo x > /boot/vmlinuz-1.0\n'
const SECRETS = {
  ...INPUTS,
  secrets: 'inline=in line "secret", $(id)\n"lines=first part\nsecond part"',
  'secret-files': 'file=a secret, file',
  'secret-envs': 'variable=MY_SECRET'
}

/** The image keeps what each secret was, so that its way there can be judged; a real one would not. */
function withSecrets(): string {
  const names = ['inline', 'lines', 'file', 'variable']
  const mounts = names.map(name => `--mount=type=secret,id=${name},required=true`).join(' ')
  const folder = bench.context(
    // A layer made with another secret is no new one to BuildKit.
    `FROM alpine:3.20\n${SYSTEM}RUN echo ${Date.now()}\nRUN ${mounts} for s in ${names.join(' ')}; do cat /run/secrets/$s; printf '|'; done > /secrets\n`
  )
  writeFileSync(join(folder, 'a secret, file'), 'from a file')
  return folder
}

const EXPECTED = 'in line "secret", $(id)|first part\nsecond part|from a file|from the environment|'

// Additional contexts need an engine newer than Debian 12's; the unit table has their argument.
test('buildx: secrets of each kind, a label', async () => {
  const checkout = withSecrets()
  const run = await bench.succeed({
    checkout,
    inputs: {
      ...SECRETS,
      labels: 'a label=with, commas "and" quotes'
    },
    env: { MY_SECRET: 'from the environment' },
    root
  })
  expect(run.log).toContain('Building with buildx.')
  inImage(run.outputs.image ?? '', at => expect(asRoot('cat', join(at, 'secrets'))).toBe(EXPECTED))
  // The file is the build's own; what the log shows of it is masked.
  expect(run.log).not.toContain('from the environment')
})

const clientOf = (path: string): number => {
  try {
    return Number.parseInt(
      execFileSync('docker', ['--version'], { encoding: 'utf8', env: { PATH: path } }).replace(/\D+/, ''),
      10
    )
  } catch {
    return Number.NaN
  }
}
const hasOldClient = clientOf(DISTRIBUTION_PATH) < 23

// From Docker 23 on there is no BuildKit without the buildx plugin.
;(hasOldClient ? test : test.skip)('BuildKit without buildx: secrets of each kind', async () => {
  const run = await bench.succeed({
    checkout: withSecrets(),
    inputs: SECRETS,
    env: { MY_SECRET: 'from the environment' },
    path: DISTRIBUTION_PATH
  })
  expect(run.log).toContain('Building with BuildKit without buildx.')
  inImage(run.outputs.image ?? '', at => expect(asRoot('cat', join(at, 'secrets'))).toBe(EXPECTED))
})

test('the legacy builder: builds, and names what it cannot honour', async () => {
  const checkout = bench.context(`FROM alpine:3.20\n${SYSTEM}`)
  const env = { DOCKER_BUILDKIT: '0' }
  const run = await bench.succeed({ checkout, inputs: INPUTS, env })
  expect(run.log).toContain('Building with the legacy builder, without buildx.')
  const { title, message } = await bench.fail({
    checkout,
    inputs: { ...INPUTS, secrets: 'token=hunter2', 'cache-to': 'type=inline', ssh: 'default' },
    env
  })
  expect(title).toBe('Docker cannot build this')
  expect(message).toBe(
    "cache-to, secrets, ssh cannot be honoured: this machine's Docker has the legacy builder, without buildx. " +
      'Add a step with docker/setup-buildx-action before this one, or leave the input out.'
  )
})
