import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { mountedBelow } from '../../src/undo.ts'
import { ALPINE, asRoot, Bench } from '../support/e2e.ts'
import { ensureBaseImage } from '../support/images.ts'
import { leftovers, type RunResult, removeRun, runAction } from '../support/runner.ts'

const QUICK = { name: 'disk', 'boot-test': 'false', 'upload-artifact': 'false' }
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

const bench = new Bench()
const folder = mkdtempSync(join(tmpdir(), 'broken-'))
let small: string
beforeAll(async () => {
  chmodSync(folder, 0o755)
  await ensureBaseImage('debian:bookworm')
  await ensureBaseImage('alpine:3.20')
  await bench.begin()
  small = bench.context('FROM alpine:3.20\nRUN mkdir -p /boot && echo kernel > /boot/vmlinuz-1.0\n')
  await bench.succeed({ checkout: ALPINE, inputs: QUICK })
})
afterAll(async () => {
  await bench.end()
  rmSync(folder, { recursive: true, force: true })
})

test('no loop device is left', async () => {
  const bin = mkdtempSync(join(folder, 'bin-'))
  chmodSync(bin, 0o755)
  writeFileSync(
    join(bin, 'sudo'),
    `#!/bin/sh
case "$*" in
  *mount*loop,offset=*) echo 'mount: failed to setup loop device for disk.raw: No such file or directory' >&2; exit 32 ;;
esac
exec /usr/bin/sudo "$@"
`,
    { mode: 0o755 }
  )
  const { title, message } = await bench.fail({ checkout: small, inputs: QUICK, path: `${bin}:${PATH}` })
  expect(title).toBe('No loop device')
  expect(message).toMatch(
    /^The new filesystem cannot be mounted through a loop device\. .*\nmount: failed to setup loop device/s
  )
})

test('a temporary folder that cannot be written does not matter', async () => {
  const readOnly = join(folder, 'read-only')
  mkdirSync(readOnly)
  asRoot('mount', '-t', 'tmpfs', '-o', 'ro', 'tmpfs', readOnly)
  try {
    const run = await bench.succeed({
      checkout: ALPINE,
      inputs: { name: 'disk', 'upload-artifact': 'false' },
      env: { TMPDIR: readOnly, TMP: readOnly, TEMP: readOnly }
    })
    expect(run.outputs['boot-result']).toBe('passed')
  } finally {
    asRoot('umount', readOnly)
  }
})

test('QEMU crashes', async () => {
  const root = mkdtempSync(join(tmpdir(), 'runner-'))
  let killed = 0
  const { title, message, run } = await bench.fail({
    checkout: ALPINE,
    root,
    inputs: { name: 'disk', accelerator: 'tcg' },
    onLine: line => {
      if (killed > 0 || !/^guest │ .*Linux version/.test(line)) return
      for (const pid of readdirSync('/proc').filter(name => /^\d+$/.test(name))) {
        let argv: string
        try {
          argv = readFileSync(`/proc/${pid}/cmdline`, 'latin1')
        } catch {
          continue
        }
        if (!argv.startsWith('qemu-system-x86_64') || !argv.includes(root)) continue
        asRoot('kill', '-SEGV', pid)
        killed++
      }
    }
  })
  expect(killed).toBe(1)
  expect(title).toBe('Boot check failed')
  expect(message).toMatch(/^The image does not boot: QEMU was ended by SIGSEGV\./)
  expect(run.outputs.image).toBeUndefined()
  expect([...bench.results.artifacts.keys()]).toEqual(['disk.console.log'])
})

describe('a Docker engine that dies', () => {
  const socket = join(folder, 'engine.sock')
  const env = { DOCKER_HOST: `unix://${socket}` }
  const sudo = process.getuid?.() === 0 ? [] : ['sudo', '-n']
  let engine: ChildProcess

  const docker = (...args: string[]): string =>
    execFileSync('docker', args, {
      env: { ...process.env, ...env },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe']
    })

  /** An engine of the test's own. Its network is its own too: an engine without a bridge deletes docker0. */
  async function start(): Promise<void> {
    const [program = '', ...args] = [
      ...[
        ...sudo,
        'unshare',
        '--net',
        'dockerd',
        '--data-root',
        join(folder, 'engine'),
        '--exec-root',
        join(folder, 'engine-exec')
      ],
      ...[
        '--pidfile',
        join(folder, 'engine.pid'),
        '--host',
        `unix://${socket}`,
        '--bridge',
        'none',
        '--iptables=false'
      ],
      // Its layers cannot be mounted, so that the tree is exported.
      ...['--storage-driver', 'vfs', '--containerd-namespace', 'docker-to-disk-test']
    ]
    const log = openSync(join(folder, 'engine.log'), 'a')
    engine = spawn(program, args, { stdio: ['ignore', log, log] })
    closeSync(log)
    for (let attempt = 0; attempt < 100; attempt++) {
      await delay(200)
      try {
        docker('version')
        asRoot('chmod', '666', socket)
        return
      } catch {
        // not yet
      }
    }
    throw new Error(
      `The second engine does not start:\n${readFileSync(join(folder, 'engine.log'), 'utf8').slice(-3000)}`
    )
  }

  const pid = (): string => asRoot('cat', join(folder, 'engine.pid')).trim()
  async function end(signal: string): Promise<void> {
    const ended = once(engine, 'exit')
    asRoot('kill', `-${signal}`, pid())
    await ended
    if (signal !== 'KILL') return
    // As after a reboot of the machine: nothing of the engine runs any more.
    for (const process of readdirSync('/proc').filter(name => /^\d+$/.test(name))) {
      try {
        if (
          readFileSync(`/proc/${process}/cmdline`, 'latin1').includes(join(folder, 'engine')) &&
          process !== String(engine.pid)
        )
          asRoot('kill', '-KILL', process)
      } catch {
        // ended meanwhile
      }
    }
    asRoot('rm', '-rf', ...['engine.pid', 'engine-exec'].map(name => join(folder, name)))
  }

  beforeAll(async () => {
    await start()
    const archive = join(folder, 'alpine.tar')
    execFileSync('docker', ['save', '--output', archive, 'alpine:3.20'])
    docker('load', '--input', archive)
  })
  afterAll(async () => {
    if (existsSync(join(folder, 'engine.pid'))) await end('TERM')
    for (const mount of mountedBelow(folder)) asRoot('umount', mount)
    asRoot('rm', '-rf', ...['engine', 'engine-exec'].map(name => join(folder, name)))
  })

  const big = 'head -c 300000000 /dev/urandom > /big'
  test.each([
    ['mid-build', 'FROM alpine:3.20\nRUN sleep 60\n', /RUN sleep/, 700, 'Docker build failed'],
    [
      'mid-export',
      `FROM alpine:3.20\nRUN mkdir -p /boot && echo kernel > /boot/vmlinuz-1.0 && ${big}\n`,
      /^The tree is read with docker export/,
      150,
      'Docker failed'
    ]
  ] as const)('%s: an error, and the next run cleans up', async (_, dockerfile, when, afterMs, expected) => {
    const root = mkdtempSync(join(tmpdir(), 'runner-'))
    const runs: RunResult[] = []
    try {
      let death: Promise<void> | undefined
      const options = { root, env, inputs: QUICK }
      const run = await runAction({
        ...options,
        checkout: bench.context(dockerfile),
        onLine: line => {
          if (when.test(line)) death ??= delay(afterMs).then(() => end('KILL'))
        }
      })
      runs.push(run)
      await death
      expect(run.exitCode).toBe(1)
      const errors = run.annotations.filter(({ level }) => level === 'error')
      expect(errors).toHaveLength(1)
      expect(errors[0]?.title).toMatch(expected)
      expect(run.outputs).toEqual({})
      expect(run.seconds + (run.post?.seconds ?? 0)).toBeLessThan(60)
      // What only the engine could give back is said, and stays in the journal.
      for (const { level, message } of run.annotations.slice(1)) {
        expect(level).toBe('warning')
        expect(message).toMatch(
          /^container docker-to-disk-\w+ could not be released: .*Cannot connect to the Docker daemon/
        )
      }
      await start()
      const next = await runAction({
        ...options,
        checkout: bench.context('FROM alpine:3.20\nRUN mkdir -p /boot && echo kernel > /boot/vmlinuz-1.0\n')
      })
      runs.push(next)
      if (next.exitCode !== 0) throw new Error(next.rawLog.slice(-3000))
      for (const each of runs)
        expect(
          (await leftovers({ ...each, outputs: next.outputs })).filter(line => !line.startsWith('process'))
        ).toEqual([])
      expect(docker('ps', '--all', '--format', '{{.Names}}')).not.toContain('docker-to-disk-')
    } finally {
      for (const run of runs) await removeRun(run)
    }
  })
})

test.each([1, 2, 3, 4, 5])('two runs at once, round %d', async round => {
  const boot: Record<string, string> = round === 1 ? {} : { 'boot-test': 'false' }
  const runs = await Promise.all(
    ['one', 'two'].map(name =>
      bench.succeed({
        checkout: ALPINE,
        inputs: { ...boot, name: `${name}-${round}`, 'upload-artifact': 'false' }
      })
    )
  )
  for (const run of runs) {
    expect(run.outputs['boot-result']).toBe(round === 1 ? 'passed' : 'skipped')
    expect(run.annotations).toEqual([])
    expect(existsSync(run.outputs.image ?? '')).toBe(true)
    execFileSync('qemu-img', ['check', '-q', run.outputs.image ?? ''])
  }
  expect(new Set(runs.map(run => run.state.run)).size).toBe(2)
})
