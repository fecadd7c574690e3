import { execFileSync } from 'node:child_process'
import { appendFileSync, chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { asRoot, Bench } from '../support/e2e.ts'
import { ensureBaseImage } from '../support/images.ts'
import { type Failure, startResultsService } from '../support/results-service.ts'
import { leftovers, type RunResult, removeRun, runAction } from '../support/runner.ts'

/** Runs at a time: most of their time is the toolkit's waiting between attempts. */
const PARALLEL = 5

const bench = new Bench()
const folder = mkdtempSync(join(tmpdir(), 'service-faults-'))
let checkout: string
beforeAll(async () => {
  await ensureBaseImage('alpine:3.20')
  await bench.begin()
  chmodSync(folder, 0o755)
  checkout = bench.context('FROM alpine:3.20\nRUN mkdir -p /boot && echo kernel > /boot/vmlinuz-1.0\n')
})
afterAll(async () => {
  await bench.end()
  rmSync(folder, { recursive: true, force: true })
})

const answer = (status: number, body: string): Failure => ({ status, body })
const json = (value: object): string => JSON.stringify(value)

type Case = Readonly<{
  /** What the service answers, to which call, how often. */
  answered: string
  call: RegExp
  failure?: Failure
  times?: number
  env?: Readonly<Record<string, string>>
  /** Done when the call comes. */
  meanwhile?: (out: string) => void
  /** First line of the annotation after the artifact's name, or null if the run succeeds. */
  seen: RegExp | null
  further?: RegExp
}>

const FILES_STAY =
  /^The files stay in the output folder; upload them in a later step, or run the job again\.$/
const SHORT = { ACTIONS_ARTIFACT_UPLOAD_TIMEOUT_MS: '3000' }

const CASES: readonly Case[] = [
  {
    answered: '500 to CreateArtifact',
    call: /^CreateArtifact$/,
    failure: answer(500, json({ code: 'internal', msg: 'out of order' })),
    seen: /Failed to make request after 5 attempts: Failed request: \(500\) Internal Server Error: out of order$/
  },
  {
    answered: '500 to CreateArtifact, twice',
    call: /^CreateArtifact$/,
    failure: answer(500, json({ code: 'internal', msg: 'out of order' })),
    times: 2,
    seen: null
  },
  {
    answered: '429 to CreateArtifact',
    call: /^CreateArtifact$/,
    failure: answer(429, json({ code: 'resource_exhausted', msg: 'slow down' })),
    seen: /Failed request: \(429\) Too Many Requests: slow down$/
  },
  {
    answered: '409 to CreateArtifact',
    call: /^CreateArtifact$/,
    failure: answer(
      409,
      json({ code: 'already_exists', msg: 'an artifact with this name already exists on the workflow run' })
    ),
    seen: /\(409\) Conflict: an artifact with this name already exists/,
    further: /^An artifact of this name exists in this workflow run: give each job or step another name/
  },
  {
    answered: '403 to CreateArtifact, storage used up',
    call: /^CreateArtifact$/,
    failure: answer(403, json({ code: 'permission_denied', msg: 'insufficient usage to create artifact' })),
    seen: /Artifact storage quota has been hit/
  },
  {
    answered: '200 and HTML to CreateArtifact',
    call: /^CreateArtifact$/,
    failure: answer(200, '<html>Down for maintenance</html>'),
    seen: /Failed to make request after 5 attempts: Unexpected token/
  },
  {
    answered: '200 and `{"ok":false}` to CreateArtifact',
    call: /^CreateArtifact$/,
    failure: answer(200, json({ ok: false })),
    seen: /CreateArtifact: response from backend was not ok$/
  },
  {
    answered: 'nothing to CreateArtifact',
    call: /^CreateArtifact$/,
    failure: 'hang',
    env: SHORT,
    seen: /the service did not finish within \d+ seconds$/
  },
  {
    answered: 'connection refused',
    call: /^never$/,
    env: { ACTIONS_RESULTS_URL: 'http://127.0.0.1:9/' },
    seen: /ECONNREFUSED/
  },
  {
    answered: '403 to the upload',
    call: /^Put/,
    failure: answer(403, ''),
    seen: /^the storage answered 403$/
  },
  {
    answered: '503 to the upload, once',
    call: /^Put/,
    failure: answer(503, ''),
    times: 1,
    seen: null
  },
  {
    answered: 'nothing to the upload',
    call: /^Put/,
    failure: 'hang',
    env: SHORT,
    seen: /Upload progress stalled\.$/
  },
  {
    answered: '500 to FinalizeArtifact',
    call: /^FinalizeArtifact$/,
    failure: answer(500, json({ code: 'internal', msg: 'no' })),
    seen: /Failed to FinalizeArtifact: .*\(500\)/
  },
  {
    answered: 'other bytes arrived',
    call: /^CreateArtifact$/,
    meanwhile: out => appendFileSync(join(out, 'disk.qcow2'), 'changed'),
    seen: /^disk\.qcow2 was changed on its way: it is [0-9a-f]{64}, uploaded was [0-9a-f]{64} \(SHA-256\)\.$/
  }
]

type Outcome = Readonly<{ run: RunResult; left: string[]; published: string[] }>
const outcomes = new Map<string, Outcome>()

async function play(test: Case, index: number): Promise<void> {
  const results = await startResultsService(join(folder, `results-${index}`))
  let count = 0
  let out = ''
  results.fail = method => {
    if (!test.call.test(method) || count >= (test.times ?? Number.POSITIVE_INFINITY)) return undefined
    count++
    if (count === 1) test.meanwhile?.(out)
    return test.failure
  }
  const root = mkdtempSync(join(folder, 'runner-'))
  out = join(root, 'work/disks/disks/out')
  try {
    const run = await runAction({
      results,
      checkout,
      root,
      inputs: { name: 'disk', 'boot-test': 'false', 'output-dir': 'out' },
      ...(test.env && { env: test.env })
    })
    outcomes.set(test.answered, { run, left: await leftovers(run), published: [...results.artifacts.keys()] })
  } finally {
    await results.close()
  }
}

beforeAll(async () => {
  const waiting = [...CASES.entries()]
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) await play(next[1], next[0])
  }
  await Promise.all(Array.from({ length: PARALLEL }, worker))
}, 600_000)

afterAll(async () => {
  const rows = CASES.map(({ answered }) => {
    const run = outcomes.get(answered)?.run
    const message = run?.annotations[0]?.message.split('\n')[0] ?? 'success'
    return `| ${answered} | ${message.replace(/[0-9a-f]{64}/g, '…')} | ${Math.round(run?.seconds ?? 0)} |`
  })
  process.stderr.write(
    `\n| The service answers | The user sees | Seconds |\n| --- | --- | --- |\n${rows.join('\n')}\n`
  )
  for (const { run } of outcomes.values()) await removeRun(run)
})

test.each(CASES)('$answered', ({ answered, seen, further = FILES_STAY }) => {
  const { run, left, published } = outcomes.get(answered) as Outcome
  expect(published).toEqual(seen === null ? expect.arrayContaining(['disk.qcow2']) : [])
  expect(left).toEqual([])
  expect(run.seconds).toBeLessThan(120)
  if (seen === null) {
    expect(run.annotations).toEqual([])
    expect(run.exitCode).toBe(0)
  } else {
    expect(run.exitCode).toBe(1)
    expect(run.annotations.map(({ level, title }) => [level, title])).toEqual([['error', 'Upload failed']])
    const [first = '', second] = run.annotations[0]?.message.split('\n') ?? []
    expect(first).toMatch(/^(The artifact )?disk\.qcow2 (could not be uploaded: |was changed)/)
    expect(first.replace('The artifact disk.qcow2 could not be uploaded: ', '')).toMatch(seen)
    if (second !== undefined) expect(second).toMatch(further)
  }
  const { image = '', checksums = '' } = run.outputs
  expect([image, checksums].map(existsSync)).toEqual([true, true])
  if (!/other bytes/.test(answered))
    execFileSync('sha256sum', ['--check', '--quiet', checksums], { cwd: dirname(checksums) })
})

describe('cache service', () => {
  const asPackageManager = (...args: string[]): string =>
    asRoot(
      'env',
      'DEBIAN_FRONTEND=noninteractive',
      'apt-get',
      '-qq',
      '-o',
      'DPkg::Lock::Timeout=120',
      ...args
    )
  afterAll(() => {
    asPackageManager('install', '--yes', 'pigz')
  })

  test.each<[string, Failure | null]>([
    ['500', answer(500, json({ code: 'internal', msg: 'out of order' }))],
    ['HTML', answer(200, '<html>')],
    ['nothing', 'hang'],
    ['connection refused', null]
  ])('%s: packages come from the network', async (_, failure) => {
    asPackageManager('purge', '--yes', 'pigz')
    bench.results.fail = method => (method.includes('Cache') ? (failure ?? undefined) : undefined)
    const run = await bench.succeed({
      checkout,
      inputs: { name: 'disk', formats: 'raw.gz', 'boot-test': 'false', 'upload-artifact': 'false' },
      env: {
        SEGMENT_DOWNLOAD_TIMEOUT_MINS: '0.05',
        ...(failure === null && { ACTIONS_RESULTS_URL: 'http://127.0.0.1:9/' })
      }
    })
    bench.results.fail = undefined
    expect(run.log).toMatch(/^Installed from the network: pigz$/m)
    expect(run.post?.exitCode).toBe(0)
    expect((run.post?.seconds ?? 0) + run.seconds).toBeLessThan(120)
  })
})
