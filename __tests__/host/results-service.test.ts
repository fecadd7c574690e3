import { createHash, randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DefaultArtifactClient } from '@actions/artifact'
import { restoreCache, saveCache } from '@actions/cache'
import { jest } from '@jest/globals'
import { type ResultsService, startResultsService } from '../support/results-service.ts'

const environment = process.env
const client = new DefaultArtifactClient()
let temp: string
let service: ResultsService

beforeEach(async () => {
  // The toolkit's workflow commands would reach the runner of a real job.
  jest.spyOn(process.stdout, 'write').mockReturnValue(true)
  temp = await mkdtemp(join(tmpdir(), 'results-service-'))
  service = await startResultsService(join(temp, 'service'))
  process.env = {
    ...environment,
    ACTIONS_RESULTS_URL: service.url,
    ACTIONS_RUNTIME_TOKEN: service.token,
    ACTIONS_CACHE_SERVICE_V2: 'true',
    GITHUB_SERVER_URL: 'https://github.com',
    GITHUB_WORKSPACE: temp,
    RUNNER_TEMP: temp
  }
})

afterEach(async () => {
  jest.restoreAllMocks()
  process.env = environment
  await service.close()
  await rm(temp, { recursive: true })
})

async function upload(name: string, content: Buffer) {
  const file = join(temp, name)
  await writeFile(file, content)
  return client.uploadArtifact(name, [file], temp, { skipArchive: true, retentionDays: 3 })
}

test.each([
  ['of several blocks', 20_000_000],
  ['of one block', 1000],
  ['that is empty', 0]
])('an artifact %s arrives byte for byte', async (_, size) => {
  const content = randomBytes(size)
  const sha256 = createHash('sha256').update(content).digest('hex')

  const uploaded = await upload('disk.qcow2', content)

  expect(uploaded).toEqual({ id: 1, size, digest: sha256 })
  const stored = service.artifacts.get('disk.qcow2')
  expect(stored).toMatchObject({ id: 1, size, hash: `sha256:${sha256}`, expiresAt: expect.any(String) })
  expect(content.equals(await readFile(stored?.file ?? ''))).toBe(true)
  expect(service.requests.filter(({ method }) => method === 'PutBlock')).toHaveLength(
    Math.ceil(size / (8 << 20))
  )
})

test('an artifact name is taken until the artifact is deleted', async () => {
  await upload('disk.raw', Buffer.from('first'))
  await expect(upload('disk.raw', Buffer.from('second'))).rejects.toThrow(
    '(409) Conflict: an artifact with this'
  )

  await client.deleteArtifact('disk.raw')
  await upload('disk.raw', Buffer.from('third'))
  expect(await readFile(service.artifacts.get('disk.raw')?.file ?? '', 'utf8')).toBe('third')
})

test('a cache comes back by its key and by the prefix of a key, and a miss is a miss', async () => {
  const folder = join(temp, 'tools')
  const content = randomBytes(3_000_000)
  const paths = [folder]
  await mkdir(folder)
  await writeFile(join(folder, 'a.deb'), content)
  await saveCache(paths, 'tools-1')
  expect([...service.caches.keys()]).toEqual(['tools-1'])

  for (const [key, prefixes] of [
    ['tools-1', []],
    ['tools-2', ['tools-']]
  ] as const) {
    await rm(folder, { recursive: true })
    expect(await restoreCache([...paths], key, [...prefixes])).toBe('tools-1')
    expect(content.equals(await readFile(join(folder, 'a.deb')))).toBe(true)
  }
  expect(await restoreCache([...paths], 'tools-2')).toBeUndefined()
})

test('a call fails as asked', async () => {
  service.fail = method => (method === 'FinalizeArtifact' ? { status: 400, body: '{"msg":"no"}' } : undefined)
  await expect(upload('disk.raw', Buffer.from('x'))).rejects.toThrow('Failed to FinalizeArtifact')
  expect(service.artifacts.size).toBe(0)
})
