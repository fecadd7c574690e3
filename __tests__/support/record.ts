// Records the serial consoles of the corpus: node __tests__/support/record.ts [NAME]...
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ConsoleLines } from '../../src/boot-check/console.ts'
import { qemuArgv } from '../../src/boot-check/machine.ts'
import { Monitor } from '../../src/boot-check/monitor.ts'
import { baseDisk } from '../corpus/bases.ts'
import { Disk } from '../corpus/disk.ts'
import { LOGIN, RECIPES, type Recipe } from '../corpus/recipes.ts'
import { type Bus, type Moment, writeRecording } from '../corpus/recording.ts'

/** Seconds that are listened after what was waited for. */
const AFTERWARDS = 4

/** Seconds within which chunks of the console are joined. */
const JOINED = 0.005

/** Events of QMP that tell something of the machine. */
const EVENTS = new Set([
  'RESET',
  'SHUTDOWN',
  'POWERDOWN',
  'GUEST_PANICKED',
  'GUEST_CRASHLOADED',
  'STOP',
  'BLOCK_IO_ERROR'
])

/** The machine of a boot check, for USB with another disk. */
function argvOf(overlay: string, bus: Bus, memoryMiB: number, board: string | undefined): string[] {
  const argv = qemuArgv({
    name: 'docker-to-disk-corpus',
    accelerator: 'tcg',
    memoryMiB,
    cpus: 2,
    overlay,
    monitor: 'monitor.qmp',
    guest: null,
    forwards: [],
    devices: { diskBus: bus === 'usb' ? 'virtio' : bus, networkCard: 'virtio' }
  })
  if (bus === 'usb') {
    const disk = argv.findIndex(argument => argument.startsWith('virtio-blk-pci,'))
    argv.splice(disk, 1, 'qemu-xhci', '-device', 'usb-storage,drive=disk,bootindex=1')
  }
  return board === undefined ? argv : [...argv, '-machine', board]
}

async function record(recipe: Recipe): Promise<void> {
  const { name, expected, memoryMiB = 1024, diskBus = 'virtio', board } = recipe
  const base = await baseDisk(recipe.base)
  const folder = mkdtempSync(join(tmpdir(), 'record-'))
  try {
    const disk = join(folder, 'disk.raw')
    execFileSync('cp', ['--sparse=always', base, disk])
    recipe.damage?.(new Disk(disk))
    const overlay = ['-q', '-f', 'qcow2', '-F', 'raw', '-b', disk, join(folder, 'overlay.qcow2')]
    execFileSync('qemu-img', ['create', ...overlay])
    const { moments, seconds } = await listen(
      recipe,
      argvOf('overlay.qcow2', diskBus, memoryMiB, board),
      folder
    )
    writeRecording({ header: { name, memoryMiB, diskBus, accelerator: 'tcg', seconds }, moments })
    console.log(`${name}: ${expected}, ${seconds} s, ${describe(recipe, moments)}`)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function listen(
  recipe: Recipe,
  [program = '', ...args]: readonly string[],
  cwd: string
): Promise<{ moments: Moment[]; seconds: number }> {
  const until = recipe.until ?? recipe.decisive ?? (recipe.expected === 'success' ? LOGIN : null)
  const moments: Moment[] = []
  const lines = new ConsoleLines()
  const begin = performance.now()
  const now = (): number => Math.round(performance.now() - begin) / 1000
  const qemu = spawn(program, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
  const monitor = new Monitor(join(cwd, 'monitor.qmp'))
  let complaint = ''
  let over = false
  let joining: { at: number; bytes: string } | null = null
  const flush = (): void => {
    if (joining !== null) moments.push([joining.at, 'console', joining.bytes])
    joining = null
  }
  const ended = new Promise<void>(resolve => {
    const stop = (): void => {
      flush()
      over = true
      clearTimeout(deadline)
      resolve()
    }
    const deadline = setTimeout(stop, recipe.seconds * 1000)
    let waiting = until !== null
    qemu.stdout.on('data', (chunk: Buffer) => {
      if (over) return
      const at = now()
      if (joining !== null && at - joining.at > JOINED) flush()
      joining = { at: joining?.at ?? at, bytes: (joining?.bytes ?? '') + chunk.toString('latin1') }
      const seen = lines.write(chunk)
      if (!waiting || until === null || ![...seen, lines.partial].some(line => until.test(line))) return
      waiting = false
      setTimeout(stop, AFTERWARDS * 1000).unref()
    })
    qemu.stderr.on('data', chunk => {
      complaint += chunk
    })
    monitor.onEvent = (event, data) => {
      if (over || !EVENTS.has(event)) return
      flush()
      moments.push([now(), 'event', { name: event, data }])
    }
    void once(qemu, 'exit').then(([exitCode, signal]) => {
      monitor.close()
      if (over) return
      stop()
      moments.push([now(), 'end', { exitCode, signal }])
    })
  })
  await ended
  const seconds = now()
  monitor.close()
  if (qemu.exitCode === null && qemu.signalCode === null) {
    qemu.kill('SIGKILL')
    await once(qemu, 'close')
  }
  // What QEMU complains of is no part of a console, and no machine of the corpus gives it a reason.
  if (complaint !== '') console.error(`${recipe.name}: QEMU says: ${complaint}`)
  return { moments, seconds }
}

/** For whoever records: when the line came that is said to decide, and what it reads. */
function describe({ decisive }: Recipe, moments: readonly Moment[]): string {
  const events = moments.flatMap(([seconds, kind, event]) =>
    kind === 'event' ? [`${event.name} at ${seconds}`] : []
  )
  const told = events.length > 0 ? `, ${events.length} events: ${events.slice(0, 4).join(', ')}` : ''
  if (decisive === undefined) return `no line decides${told}`
  const lines = new ConsoleLines()
  for (const [seconds, kind, bytes] of moments) {
    if (kind !== 'console') continue
    const seen = [...lines.write(Buffer.from(bytes, 'latin1')), lines.partial]
    const line = seen.find(line => decisive.test(line))
    if (line !== undefined) return `at ${seconds} s: ${line}${told}`
  }
  return `NOTHING MATCHES ${decisive}${told}`
}

if (import.meta.main) {
  const names = process.argv.slice(2)
  const unknown = names.filter(name => !RECIPES.some(recipe => recipe.name === name))
  if (unknown.length > 0) throw new Error(`There is no recipe for ${unknown.join(', ')}.`)
  for (const recipe of RECIPES) if (names.length === 0 || names.includes(recipe.name)) await record(recipe)
}
