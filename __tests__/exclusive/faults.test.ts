import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { ALPINE, asRoot, Bench, sha256 } from '../support/e2e.ts'
import { ensureBaseImage } from '../support/images.ts'
import { type ResultsService, startResultsService } from '../support/results-service.ts'
import { leftovers, type RunOptions, type RunResult, removeRun, runAction } from '../support/runner.ts'
import { Volume } from '../support/volume.ts'

const MIB = 1024 ** 2
/** What the runner gives a cancelled step between SIGINT and SIGTERM. */
const GRACE_MS = 7500
const MARKER = 'docker-to-disk-faults'
const QUICK = { 'boot-test': 'false' }
const BOOT = {}

const bench = new Bench()
const folder = mkdtempSync(join(tmpdir(), 'faults-'))
const roots: string[] = []
let results: ResultsService
let volume: Volume
let sleepy: string
let incomplete: string
let names = 0
/** Inputs with a name that no other run has: the service never takes one twice, even if the first upload was not finished. */
const named = (inputs: Readonly<Record<string, string>>): Record<string, string> => ({
  ...inputs,
  name: `disk-${++names}`
})

beforeAll(async () => {
  await ensureBaseImage('debian:bookworm')
  await ensureBaseImage('alpine:3.20')
  await bench.begin()
  results = await startResultsService(join(folder, 'results'))
  volume = new Volume(4096, process.getuid?.() === 0 ? 'runner:' : `${userInfo().username}:`)
  sleepy = bench.context(`FROM alpine:3.20\nRUN : ${MARKER} && sleep 300\n`, 'sleepy')
  // A distribution by its looks, whose package manager takes its time; when it is asked a second time, it is done at once.
  incomplete = bench.context(
    `FROM alpine:3.20\nRUN echo ID=debian >/etc/os-release && printf '#!/bin/sh\\nsleep 6\\n' >/usr/bin/apt-get && chmod +x /usr/bin/apt-get\n`,
    'incomplete'
  )
  // Warms Docker's layer cache, or the first signals would meet a build.
  await bench.succeed({ checkout: ALPINE, inputs: { ...QUICK, name: 'disk', 'upload-artifact': 'false' } })
})

afterAll(async () => {
  await bench.end()
  await results.close()
  volume.close()
  for (const root of roots) await removeRun({ root })
  rmSync(folder, { recursive: true, force: true })
  process.stderr.write(
    `\nStages and faults: what was left, and whether the step said what happened\n${printTable()}\n`
  )
})

const FAULTS = ['SIGINT', 'SIGTERM', 'SIGKILL', 'ENOSPC'] as const
type Fault = (typeof FAULTS)[number]

type Stage = Readonly<{
  name: string
  /** Line of the log at which the signal's delay, and milliseconds after it. */
  when: RegExp
  afterMs: readonly number[]
  inputs?: Readonly<Record<string, string>>
  checkout?: () => string
  /** Line at which the disk is full, but for some bytes, and what the annotation says then. */
  full?: Readonly<{ when: RegExp; leave: number; says: RegExp }>
}>

const NO_SPACE = /^No space left: The runner's disk is full/
const group = (name: string): RegExp => new RegExp(`^::group::${name}$`)
const STAGES: readonly Stage[] = [
  {
    name: 'Preflight',
    when: group('Preflight'),
    afterMs: [0, 100],
    full: {
      when: group('Preflight'),
      leave: 100 * MIB,
      says: /^Unsuitable machine: .* free, but at least 1.0 GiB are needed/
    }
  },
  {
    name: 'Container image',
    when: new RegExp(`RUN : ${MARKER}`),
    afterMs: [50, 800],
    checkout: () => sleepy,
    full: { when: group('Container image'), leave: 0, says: NO_SPACE }
  },
  {
    name: 'File tree',
    when: group('File tree'),
    // While the container is made, while its layers are mounted, while they are read.
    afterMs: [0, 40, 120, 200, 300],
    full: { when: group('File tree'), leave: 0, says: NO_SPACE }
  },
  {
    name: 'Root filesystem',
    when: group('Root filesystem'),
    afterMs: [20],
    full: { when: group('Root filesystem'), leave: 0, says: /^Not enough disk space: / }
  },
  {
    name: 'System',
    when: group('System'),
    // While the layers are given back, while the package manager works.
    afterMs: [30, 1500],
    // Or the second signal would meet what the first has left in Docker's cache.
    inputs: { ...QUICK, 'no-cache': 'true' },
    checkout: () => incomplete,
    full: { when: group('System'), leave: 0, says: NO_SPACE }
  },
  {
    name: 'Disk',
    when: group('Disk'),
    // While it is formatted, mounted and filled.
    afterMs: [50, 200, 350, 600, 900],
    full: { when: /^Disk of .*: MBR/, leave: 30 * MIB, says: NO_SPACE }
  },
  {
    name: 'Boot loader',
    when: group('Boot loader'),
    afterMs: [10, 150],
    // What the kernel has not written yet has no place to go.
    full: { when: /^Written anew or removed/, leave: 0, says: NO_SPACE }
  },
  {
    name: 'Boot check and formats',
    when: group('Boot check and formats'),
    afterMs: [100, 800],
    inputs: BOOT,
    full: { when: group('Boot check and formats'), leave: 0, says: NO_SPACE }
  },
  {
    name: 'Publish',
    when: /^Beginning upload of artifact content/,
    afterMs: [100],
    full: { when: /^Uploading artifact: disk-\d+\.qcow2/, leave: 0, says: NO_SPACE }
  }
]

type Cell = { tried: number; clean: number }
const table = new Map<string, Cell>()
const cell = (stage: string, fault: Fault): Cell => {
  const key = `${stage}|${fault}`
  const present = table.get(key) ?? { tried: 0, clean: 0 }
  table.set(key, present)
  return present
}

function printTable(): string {
  const stages = [...new Set([...table.keys()].map(key => key.split('|')[0] ?? ''))]
  const rows = stages.map(stage => [
    stage,
    ...FAULTS.map(fault => {
      const { tried, clean } = table.get(`${stage}|${fault}`) ?? { tried: 0, clean: 0 }
      return tried === 0 ? '' : `${clean} of ${tried}`
    })
  ])
  const all = [...table.values()]
  const total = (key: keyof Cell): number => all.reduce((sum, counts) => sum + counts[key], 0)
  const lines = [['Stage', ...FAULTS], ['---', '---', '---', '---', '---'], ...rows].map(
    cells => `| ${cells.join(' | ')} |`
  )
  return `${lines.join('\n')}\nCases tried: ${total('tried')}, clean: ${total('clean')}`
}

/** Containers in which a build's step runs; the engine takes a moment to end them after their client is gone. */
async function buildContainers(): Promise<string[]> {
  for (let attempt = 0; ; attempt++) {
    const found = execFileSync(
      'docker',
      ['ps', '--all', '--no-trunc', '--format', '{{.Names}} {{.Command}}'],
      { encoding: 'utf8' }
    )
      .split('\n')
      .filter(line => line.includes(MARKER) || line.includes('apt-get update && DEBIAN_FRONTEND'))
    if (found.length === 0 || attempt === 20) return found.map(line => `container ${line}`)
    await new Promise(resolve => setTimeout(resolve, 250))
  }
}

const annotationsOf = (run: RunResult): string[] =>
  [...run.annotations, ...(run.post?.annotations ?? [])].map(({ title, message }) => `${title}: ${message}`)

/** Runs with a fault and expects nothing but the given annotation to remain of it. */
async function expectClean(
  stage: string,
  fault: Fault,
  options: RunOptions,
  says: RegExp
): Promise<RunResult> {
  const counts = cell(stage, fault)
  counts.tried++
  const run = await runAction({ results, ...options, inputs: named(options.inputs ?? {}) })
  roots.push(run.root)
  try {
    expect([...(await leftovers(run)), ...(await buildContainers())]).toEqual([])
    expect(annotationsOf(run)).toEqual([expect.stringMatching(says)])
    expect(run.post?.exitCode ?? 0).toBe(0)
    // A name in the outputs is that of a whole file.
    const files = (run.outputs.files ?? '').split('\n').filter(Boolean)
    if (files.length > 0) {
      const sums = readFileSync(run.outputs.checksums ?? '', 'utf8')
        .trim()
        .split('\n')
      expect(
        await Promise.all(
          files.slice(0, -1).map(async path => `${await sha256(path)}  ${path.split('/').pop()}`)
        )
      ).toEqual(sums)
    }
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${run.rawLog.slice(-3000)}\n${run.post?.rawLog ?? ''}`)
  }
  counts.clean++
  return run
}

/** An upload of the image that never ends. */
const holdUploads = (): void => {
  results.fail = method => (method.startsWith('Put') ? 'hang' : undefined)
}
afterEach(() => {
  results.fail = undefined
})

const SAYS: Record<Exclude<Fault, 'ENOSPC'>, RegExp> = {
  SIGINT: /^Cancelled: Cancelled by SIGINT\.$/,
  SIGTERM: /^Cancelled: Cancelled by SIGTERM\.$/,
  SIGKILL: /^Cleaned up: The step was killed/
}

describe.each(['SIGINT', 'SIGTERM', 'SIGKILL'] as const)('%s', signal => {
  // SIGTERM takes the way of SIGINT: one of the delays will do.
  const cases = STAGES.flatMap(stage =>
    (signal === 'SIGTERM' ? stage.afterMs.slice(-1) : stage.afterMs).map(afterMs => ({ ...stage, afterMs }))
  )
  test.each(cases)('$name, $afterMs ms on', async ({ name, when, afterMs, inputs = QUICK, checkout }) => {
    if (name === 'Publish') holdUploads()
    // Killed if it is not done with its undoing in time, which gives another exit code.
    const limit = signal === 'SIGKILL' ? [] : [{ signal: 'SIGKILL', afterMs: afterMs + GRACE_MS } as const]
    const run = await expectClean(
      name,
      signal,
      {
        checkout: checkout?.() ?? ALPINE,
        inputs,
        signalAt: { when, signals: [{ signal, afterMs }, ...limit] }
      },
      SAYS[signal]
    )
    expect(run.exitCode).toBe(signal === 'SIGKILL' ? 137 : 1)
    expect([...results.artifacts.keys()]).toEqual([])
    expect(Object.keys(run.outputs)).toEqual(name === 'Publish' ? expect.arrayContaining(['files']) : [])
  })

  test('the next run works', async () => {
    const root = mkdtempSync(join(tmpdir(), 'runner-'))
    const signals = [{ signal, afterMs: 500 }]
    await expectClean(
      'Disk',
      signal,
      { checkout: ALPINE, inputs: QUICK, root, signalAt: { when: group('Disk'), signals } },
      SAYS[signal]
    )
    const next = await bench.succeed({ checkout: ALPINE, inputs: named(BOOT), root })
    expect(next.outputs['boot-result']).toBe('passed')
  })
})

describe('ENOSPC', () => {
  afterEach(() => {
    results.fail = undefined
    volume.empty()
  })

  test.each(STAGES)('$name', async ({ name, inputs = QUICK, checkout, full }) => {
    if (!full) return
    let filled = false
    const run = await expectClean(
      name,
      'ENOSPC',
      {
        checkout: name === 'System' ? (checkout?.() ?? ALPINE) : ALPINE,
        inputs: { ...inputs, 'output-dir': volume.path, 'upload-artifact': String(name === 'Publish') },
        onLine: line => {
          if (filled || !full.when.test(line)) return
          filled = true
          volume.fill(full.leave)
        }
      },
      full.says
    )
    expect(filled).toBe(true)
    expect(run.exitCode).toBe(1)
    expect(volume.names.map(each => each.replace(/-\d+\./, '.'))).toEqual(
      name === 'Publish' ? ['SHA256SUMS', 'disk.qcow2', 'disk.report.json'] : []
    )
    for (const artifact of results.artifacts.values())
      expect(`sha256:${await sha256(artifact.file)}`).toBe(artifact.hash)
  })

  test('the next run works', async () => {
    const run = await bench.succeed({ checkout: ALPINE, inputs: named({ 'output-dir': volume.path }) })
    expect(run.outputs['boot-result']).toBe('passed')
  })
})

test("the runner's own sequence", async () => {
  await expectClean(
    'Disk',
    'SIGINT',
    {
      checkout: ALPINE,
      inputs: QUICK,
      signalAt: {
        when: group('Disk'),
        signals: [
          { signal: 'SIGINT', afterMs: 500 },
          { signal: 'SIGTERM', afterMs: 500 + GRACE_MS },
          { signal: 'SIGKILL', afterMs: 500 + GRACE_MS + 2500 }
        ]
      }
    },
    SAYS.SIGINT
  )
})

test.each([0, 20, 60])('killed %d ms into its undoing, it is finished by the post step', async afterMs => {
  const run = await runAction({
    results,
    checkout: ALPINE,
    inputs: QUICK,
    signalAt: {
      when: group('Boot loader'),
      signals: [
        { signal: 'SIGINT', afterMs: 0 },
        { signal: 'SIGKILL', afterMs: 15 + afterMs }
      ]
    }
  })
  roots.push(run.root)
  expect(await leftovers(run)).toEqual([])
  expect(run.post?.annotations.map(({ title }) => title)).toEqual(run.exitCode === 137 ? ['Cleaned up'] : [])
})

test('without a post step the next run on the machine cleans up', async () => {
  const root = mkdtempSync(join(tmpdir(), 'runner-'))
  roots.push(root)
  const out = join(root, 'out')
  mkdirSync(out)
  asRoot('chown', process.getuid?.() === 0 ? 'runner:' : userInfo().username, out)
  const options = {
    results,
    checkout: ALPINE,
    root,
    inputs: { ...QUICK, name: 'disk', 'output-dir': out, 'upload-artifact': 'false' }
  }
  const killed = await runAction({
    ...options,
    post: false,
    signalAt: { when: /as root: tar --extract/, signals: [{ signal: 'SIGKILL', afterMs: 50 }] }
  })
  const left = await leftovers(killed)
  for (const kind of ['loop device', 'mount', 'container', 'journal', 'work file'])
    expect(left).toContainEqual(expect.stringMatching(`^${kind} `))

  const next = await bench.succeed(options)
  expect(next.log).toContain(`Cleaning up after a run on this machine that was killed (${killed.state.run}).`)
  expect(await leftovers({ ...killed, outputs: next.outputs })).toEqual([])
  expect(readdirSync(out).sort()).toEqual(['SHA256SUMS', 'disk.qcow2', 'disk.report.json'])
})

test('sudo with a terminal of its own for each command', async () => {
  const rule = '/etc/sudoers.d/docker-to-disk-faults'
  const draft = join(folder, 'sudoers')
  writeFileSync(draft, 'Defaults use_pty\n')
  asRoot('install', '--mode=440', draft, rule)
  try {
    for (const signal of ['SIGINT', 'SIGKILL'] as const) {
      const signals = [{ signal, afterMs: 500 }]
      await expectClean(
        'Disk',
        signal,
        { checkout: ALPINE, inputs: QUICK, signalAt: { when: group('Disk'), signals } },
        SAYS[signal]
      )
    }
  } finally {
    asRoot('rm', rule)
  }
})

describe('Tools', () => {
  const proxy = '/etc/apt/apt.conf.d/99docker-to-disk-faults'
  let silent: Server
  beforeAll(async () => {
    asRoot(
      'env',
      'DEBIAN_FRONTEND=noninteractive',
      'apt-get',
      '-qq',
      '-o',
      'DPkg::Lock::Timeout=120',
      'purge',
      '--yes',
      'pigz'
    )
    // Takes every connection and never answers.
    silent = createServer(socket => socket.on('error', () => {}))
    await new Promise<void>(resolve => silent.listen(0, '127.0.0.1', resolve))
    const { port } = silent.address() as { port: number }
    const draft = join(folder, 'apt.conf')
    writeFileSync(
      draft,
      `Acquire::http::Proxy "http://127.0.0.1:${port}";\nAcquire::https::Proxy "http://127.0.0.1:${port}";\n`
    )
    asRoot('cp', draft, proxy)
  })
  afterAll(() => {
    if (existsSync(proxy)) asRoot('rm', proxy)
    silent.close()
    asRoot(
      'env',
      'DEBIAN_FRONTEND=noninteractive',
      'apt-get',
      '-qq',
      '-o',
      'DPkg::Lock::Timeout=120',
      'install',
      '--yes',
      'pigz'
    )
  })

  test.each(['SIGINT', 'SIGTERM', 'SIGKILL'] as const)('%s while apt waits for its server', async signal => {
    const signals = [
      { signal, afterMs: 300 },
      ...(signal === 'SIGKILL' ? [] : [{ signal: 'SIGKILL', afterMs: 300 + GRACE_MS } as const])
    ]
    const run = await expectClean(
      'Tools',
      signal,
      {
        checkout: ALPINE,
        inputs: { ...QUICK, formats: 'raw.gz' },
        signalAt: { when: group('Tools'), signals }
      },
      SAYS[signal]
    )
    expect(run.exitCode).toBe(signal === 'SIGKILL' ? 137 : 1)
    expect(run.rawLog).toMatch(/^Missing: pigz$/m)
  })

  test('ENOSPC where apt keeps its lists', async () => {
    const lists = '/var/lib/apt/lists'
    asRoot('rm', '-f', proxy)
    asRoot('mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', lists)
    try {
      const run = await expectClean(
        'Tools',
        'ENOSPC',
        { checkout: ALPINE, inputs: { ...QUICK, formats: 'raw.gz' } },
        /^No space left: The runner's disk is full: apt-get could not install pigz\. Free space first, or install them before this step\.$/
      )
      expect(run.exitCode).toBe(1)
    } finally {
      asRoot('umount', lists)
    }
  })
})
