import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { jest } from '@jest/globals'
import { Host } from '../../src/host.ts'
import { mountedBelow, Undo } from '../../src/undo.ts'
import { ensureBaseImage } from '../support/images.ts'

let folder: string
let host: Host

beforeAll(() => ensureBaseImage('alpine:3.20'))

beforeEach(() => {
  jest.spyOn(process.stdout, 'write').mockReturnValue(true)
  folder = mkdtempSync(join(tmpdir(), 'docker-to-disk-undo-'))
  process.env.XDG_STATE_HOME = join(folder, 'state')
  host = new Host()
})

afterEach(() => {
  jest.restoreAllMocks()
  delete process.env.XDG_STATE_HOME
  rmSync(folder, { recursive: true, force: true })
})

const journals = (): string[] => readdirSync(join(folder, 'state', 'docker-to-disk'))
const loops = (): string =>
  execFileSync('/sbin/losetup', ['--list', '--noheadings', '--output', 'BACK-FILE'], { encoding: 'utf8' })

/** Takes a loop device, a mount in a folder, and a file in it, as a run does. */
async function take(undo: Undo): Promise<{ work: string; disk: string; target: string }> {
  const work = join(folder, `work ${undo.runId}`)
  undo.register({ kind: 'folder', path: work })
  mkdirSync(work)
  const disk = join(work, 'disk.raw')
  writeFileSync(disk, '')
  truncateSync(disk, 16 << 20)
  await host.run(['mke2fs', '-q', '-F', disk])
  const target = join(work, 'root')
  mkdirSync(target)
  undo.register({ kind: 'loop', file: disk })
  undo.register({ kind: 'mount', target })
  await host.runAsRoot(['mount', '-o', 'loop', disk, target])
  return { work, disk, target }
}

test('everything is given back, newest first, and the journal goes', async () => {
  const undo = Undo.begin(host)
  const { work, disk, target } = await take(undo)
  expect(mountedBelow(work)).toEqual([target])
  expect(loops()).toContain(disk)
  expect(journals()).toEqual([`${undo.runId}.json`])
  expect(await undo.releaseAll()).toEqual([])
  expect(mountedBelow(work)).toEqual([])
  expect(loops()).not.toContain(disk)
  expect(existsSync(work)).toBe(false)
  expect(journals()).toEqual([])
  expect(await undo.releaseAll()).toEqual([])
})

test('another process finishes from the journal, twice without harm', async () => {
  const undo = Undo.begin(host)
  const { work, disk } = await take(undo)
  expect(await Undo.resume(undo.runId, host)?.releaseAll()).toEqual([])
  expect(existsSync(work)).toBe(false)
  expect(loops()).not.toContain(disk)
  expect(Undo.resume(undo.runId, host)).toBeNull()
})

test('a loop device without its mount is detached', async () => {
  const undo = Undo.begin(host)
  const disk = join(folder, 'alone')
  writeFileSync(disk, '')
  truncateSync(disk, 1 << 20)
  undo.register({ kind: 'loop', file: disk })
  await host.runAsRoot(['losetup', '--find', disk])
  expect(loops()).toContain(disk)
  expect(await undo.releaseAll()).toEqual([])
  expect(loops()).not.toContain(disk)
})

test('a run is abandoned when its process is gone, not before', async () => {
  const undo = Undo.begin(host)
  const path = join(folder, 'state', 'docker-to-disk', `${undo.runId}.json`)
  expect(Undo.abandoned(host)).toEqual([])
  const journal = JSON.parse(execFileSync('cat', [path], { encoding: 'utf8' }))
  // The same process id in another boot, or as another process, is not that process.
  writeFileSync(
    path,
    JSON.stringify({ ...journal, owner: { ...journal.owner, startTime: 'another boot/1' } })
  )
  expect(Undo.abandoned(host).map(({ runId }) => runId)).toEqual([undo.runId])
  writeFileSync(path, JSON.stringify({ ...journal, owner: { pid: 2 ** 22, startTime: 'x', boot: 'y' } }))
  expect(Undo.abandoned(host).map(({ runId }) => runId)).toEqual([undo.runId])
})

test.each(['../../../../etc/passwd', 'a/b', '', 'ABCDEF012345', '0123456789abc'])(
  '%j is no id of a run',
  runId => {
    expect(Undo.resume(runId, host)).toBeNull()
  }
)

test('two runs do not touch each other', async () => {
  const [one, two] = [Undo.begin(host), Undo.begin(host)]
  const [, second] = [await take(one), await take(two)]
  const marked = spawn('sh', ['-c', 'sleep 60; :', two.runId], { detached: true, stdio: 'ignore' })
  await delay(100)
  expect(await one.releaseAll()).toEqual([])
  expect(mountedBelow(second.work)).toEqual([second.target])
  expect(loops()).toContain(second.disk)
  expect(marked.exitCode ?? marked.signalCode).toBeNull()
  expect(await two.releaseAll()).toEqual([])
  await delay(100)
  expect(marked.signalCode).toBe('SIGTERM')
})

test('a busy mount is tried again and, if it stays busy, reported and kept in the journal', async () => {
  const undo = Undo.begin(host)
  const { target, work } = await take(undo)
  const user = spawn('sleep', ['2'], { cwd: target, stdio: 'ignore' })
  await delay(100)
  expect(await undo.releaseAll()).toEqual([])
  expect(existsSync(work)).toBe(false)
  user.kill()

  const again = Undo.begin(host)
  const taken = await take(again)
  const blocker = spawn('sleep', ['60'], { cwd: taken.target, stdio: 'ignore' })
  await delay(100)
  const problems = await again.releaseAll()
  expect(problems[0]).toMatch(/^mount .*root could not be released: umount failed with exit code 32:\n.*busy/)
  expect(problems.at(-1)).toMatch(/^folder .* could not be released: .* is still mounted$/)
  expect(journals()).toEqual([`${again.runId}.json`])
  blocker.kill()
  await delay(100)
  expect(await again.releaseAll()).toEqual([])
  expect(existsSync(taken.work)).toBe(false)
})

test('a folder of results stays, an empty one goes', async () => {
  const undo = Undo.begin(host)
  const [empty, full] = [join(folder, 'empty'), join(folder, 'full')]
  for (const path of [empty, full]) {
    mkdirSync(path)
    undo.register({ kind: 'empty-folder', path })
  }
  writeFileSync(join(full, 'result'), '')
  expect(await undo.releaseAll()).toEqual([])
  expect([existsSync(empty), existsSync(full)]).toEqual([false, true])
})

test('a process that has the run in its environment alone is ended', async () => {
  const undo = Undo.begin(host)
  const marked = host.start(['sleep', '55555'], { stdio: 'ignore' })
  const other = new Host().start(['sleep', '55555'], { stdio: 'ignore' })
  expect(await undo.releaseAll()).toEqual([])
  expect(await marked.ended).toMatchObject({ signal: 'SIGTERM' })
  process.kill(other.pid, 0)
  await other.end()
})

test('a container that the engine makes after its client was killed is removed', async () => {
  const undo = Undo.begin(host)
  const name = `docker-to-disk-${undo.runId}`
  undo.register({ kind: 'container', name })
  const released = undo.releaseAll()
  await delay(500)
  execFileSync('docker', ['create', '--name', name, '--network', 'none', 'alpine:3.20', 'true'])
  expect(await released).toEqual([])
  expect(
    execFileSync('docker', ['ps', '--all', '--format', '{{.Names}}'], { encoding: 'utf8' })
  ).not.toContain(name)
})

test('a process that is dead but not reaped has abandoned its run', async () => {
  const undo = Undo.begin(host)
  const path = join(folder, 'state', 'docker-to-disk', `${undo.runId}.json`)
  // The shell becomes a program that never waits for its child, long before that ends: a shell would.
  const parent = spawn('sh', ['-c', 'sleep 1 & echo $!; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'ignore']
  })
  const [chunk] = (await once(parent.stdout, 'data')) as [Buffer]
  const pid = Number(chunk.toString())
  const look = (): string[] => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').pop()?.split(' ') ?? []
  for (const end = Date.now() + 10_000; look()[0] !== 'Z' && Date.now() < end; ) await delay(50)
  const stat = look()
  expect(stat[0]).toBe('Z')
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  const journal = JSON.parse(readFileSync(path, 'utf8'))
  writeFileSync(path, JSON.stringify({ ...journal, owner: { pid, boot, startTime: `${boot}/${stat[19]}` } }))
  expect(Undo.abandoned(host).map(({ runId }) => runId)).toEqual([undo.runId])
  parent.kill()
})

describe('commands', () => {
  test('an argument reaches the program as it is', async () => {
    const odd = ['a b', '$(id)', '`id`', '"', "'", '\n', '*', '-n', ';reboot', '|', 'ü', '']
    const { stdout } = await host.run(['printf', '%s\\0', ...odd])
    expect(stdout.split('\0').slice(0, -1)).toEqual(odd)
    expect((await host.runAsRoot(['printf', '%s\\0', ...odd])).stdout.split('\0').slice(0, -1)).toEqual(odd)
  })

  test('a failure tells the last words', async () => {
    await expect(host.run(['sh', '-c', 'echo first >&2; echo ::error::last >&2; exit 3'])).rejects.toThrow(
      'sh failed with exit code 3:\nfirst\n\u200b'
    )
    await expect(host.run(['docker-to-disk-no-such-program'])).rejects.toThrow('could not be started')
  })

  test('a deadline ends the command and its children', async () => {
    const begin = performance.now()
    await expect(host.run(['sh', '-c', 'sleep 77777 & sleep 77777'], { timeout: 300 })).rejects.toThrow(
      'did not end within 0 seconds'
    )
    expect(performance.now() - begin).toBeLessThan(5000)
    expect(execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })).not.toContain('sleep 77777')
  })

  test('cancelling ends what runs, as root too, and starts nothing more', async () => {
    const cancellation = new AbortController()
    const cancellable = new Host(cancellation.signal)
    const running = [cancellable.run(['sleep', '66666']), cancellable.runAsRoot(['sleep', '66666'])].map(
      result => expect(result).rejects.toThrow('enough')
    )
    await delay(200)
    cancellation.abort(new Error('enough'))
    await Promise.all(running)
    await expect(cancellable.run(['true'])).rejects.toThrow('enough')
    expect(execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })).not.toContain('sleep 66666')
  })

  test('a pipe carries every byte, and the failure of either end is told', async () => {
    const sink = join(folder, 'sink')
    const [source, size] = [join(folder, 'source'), 50_000_000]
    execFileSync('sh', ['-c', `head -c ${size} /dev/urandom > ${source}`])
    await host.pipe(
      { argv: ['cat', source], asRoot: false },
      { argv: ['dd', `of=${sink}`, 'status=none'], asRoot: true },
      30_000
    )
    execFileSync('cmp', [source, sink])
    execFileSync('rm', ['-f', sink])
    await expect(
      host.pipe({ argv: ['cat', '/gone'], asRoot: false }, { argv: ['cat'], asRoot: false }, 5000)
    ).rejects.toThrow('cat failed with exit code 1:\ncat: /gone')
    await expect(
      host.pipe({ argv: ['yes'], asRoot: false }, { argv: ['false'], asRoot: false }, 5000)
    ).rejects.toThrow('false failed with exit code 1')
  })
})
