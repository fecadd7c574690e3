import { mkdtempSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Host } from '../../src/host.ts'
import { installTools } from '../../src/tools.ts'
import { asRoot } from '../support/e2e.ts'

const PROXY = '/etc/apt/apt.conf.d/99docker-to-disk-stall'
const folder = mkdtempSync(join(tmpdir(), 'apt-stall-'))
let silent: Server

beforeAll(async () => {
  // Takes every connection and never answers.
  silent = createServer(socket => socket.on('error', () => {}))
  await new Promise<void>(resolve => silent.listen(0, '127.0.0.1', resolve))
  const { port } = silent.address() as { port: number }
  const draft = join(folder, 'apt.conf')
  writeFileSync(
    draft,
    `Acquire::http::Proxy "http://127.0.0.1:${port}";\nAcquire::https::Proxy "http://127.0.0.1:${port}";\n`
  )
  asRoot('cp', draft, PROXY)
  process.env.RUNNER_TEMP = folder
})

afterAll(() => {
  asRoot('rm', PROXY)
  silent.close()
  delete process.env.RUNNER_TEMP
  asRoot('rm', '-rf', folder)
})

test('apt that gets no answer is given up at the deadline', async () => {
  const begin = performance.now()
  const lines: string[] = []
  const missing = [{ program: 'docker-to-disk-absent', package: 'cowsay' }]
  await expect(installTools(new Host(), missing, line => lines.push(line), 4000)).rejects.toThrow(
    /^apt-get could not install cowsay, and its package lists could not be updated, and time is up\. /
  )
  expect(lines).toContainEqual(expect.stringMatching(/^apt-get did not end within 4 seconds/))
  expect(performance.now() - begin).toBeLessThan(20_000)
})
