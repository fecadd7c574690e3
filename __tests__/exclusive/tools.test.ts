import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ALPINE, asRoot, Bench } from '../support/e2e.ts'
import { ensureBaseImage } from '../support/images.ts'

/** Small programs of the action that this test takes away and that come back by it. */
const PACKAGES = ['extlinux', 'pigz']
const INPUTS = { formats: 'raw.gz', 'boot-test': 'false', 'upload-artifact': 'false' }

const bench = new Bench()
let root: string
beforeAll(async () => {
  await ensureBaseImage('debian:bookworm')
  await ensureBaseImage('alpine:3.20')
  await bench.begin()
  root = mkdtempSync(join(tmpdir(), 'runner-'))
})
afterAll(async () => {
  await bench.end()
  rmSync(root, { recursive: true, force: true })
})

const takeAway = (): void => {
  asRoot('env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-qq', 'purge', '--yes', ...PACKAGES)
}

test('a run installs what is missing and keeps the packages, the next installs them without network', async () => {
  takeAway()
  // Runs that share a root have the same RUNNER_TEMP: a cache is found again only under the path it was saved from.
  const first = await bench.succeed({ checkout: ALPINE, inputs: INPUTS, root })
  expect(first.log).toMatch(/^Missing: extlinux, pigz$/m)
  expect(first.log).toMatch(/^Installed from the network: extlinux, pigz$/m)
  expect(first.post?.log).toMatch(/Saved the packages of the installed programs/)
  const [key] = bench.results.caches.keys()
  expect(key).toMatch(/^docker-to-disk-apt-[\w.-]+-x64-[0-9a-f]{16}$/)

  takeAway()
  const closed = '/etc/apt/apt.conf.d/99docker-to-disk-test'
  const draft = join(root, 'apt.conf')
  // Every fetch fails at once, as on a machine without network.
  writeFileSync(
    draft,
    'Acquire::http::Proxy "http://127.0.0.1:9";\nAcquire::https::Proxy "http://127.0.0.1:9";\nAcquire::Retries "0";\n'
  )
  asRoot('cp', draft, closed)
  try {
    const second = await bench.succeed({ checkout: ALPINE, inputs: INPUTS, root })
    expect(second.log).toMatch(/^Installed from the cache: extlinux, pigz$/m)
    expect(second.post?.log).not.toContain('Saved')
  } finally {
    asRoot('rm', closed)
  }

  const third = await bench.succeed({ checkout: ALPINE, inputs: INPUTS, root })
  expect(third.log).toMatch(/^All programs are present\.$/m)
})

test('installing can be turned off; what is missing is named then', async () => {
  takeAway()
  const { title, message, run } = await bench.fail({
    checkout: ALPINE,
    inputs: { ...INPUTS, 'install-tools': 'false' },
    root
  })
  expect(title).toBe('Missing programs')
  expect(message).toBe(
    'Missing on this machine: extlinux, pigz. Set install-tools to true, or install them before: sudo apt-get install extlinux pigz'
  )
  expect(run.log).not.toContain('Container image')
})

test('a cache that does not answer fails nothing', async () => {
  takeAway()
  bench.results.fail = method => (/Cache/.test(method) ? { status: 500, body: 'garbage' } : undefined)
  try {
    const run = await bench.succeed({ checkout: ALPINE, inputs: INPUTS, root })
    expect(run.log).toMatch(/^Installed from the network: extlinux, pigz$/m)
    expect(run.post?.exitCode).toBe(0)
  } finally {
    bench.results.fail = undefined
  }
})
