import { closeSync, openSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { INTERRUPTED, interruptible } from '../deadline.ts'
import { ActionError } from '../errors.ts'
import type { Host, Running } from '../host.ts'
import type { BootInputs } from '../inputs.ts'
import { inert } from '../text.ts'
import type { Undo } from '../undo.ts'
import type { Reason } from './causes.ts'
import { ConsoleLog } from './console-log.ts'
import { type Devices, describeDevices } from './devices.ts'
import { type Acceleration, BootFailure, type Quotation } from './failure.ts'
import { Guest } from './guest.ts'
import type { TestCase } from './junit.ts'
import { KvmFailure } from './kvm.ts'
import { KVM_FAILURE, qemuArgv } from './machine.ts'
import { Monitor } from './monitor.ts'
import type { Phase } from './phases.ts'
import { takeScreenshot } from './screenshot.ts'
import { Judge, type MachineEvent, type Verdict } from './verdict.ts'

/** How QEMU runs the machine, and how long it may take to come up. */
export type Pace = Readonly<{
  accelerator: Acceleration
  /** Seconds from power-on to the verdict at the latest. */
  timeout: number
  /** What the user's limits in seconds are multiplied by. */
  stretch: number
}>

/** One start of a machine. */
export type Start = Readonly<{
  /** As a check, such as `second boot`. */
  name: string
  /** How an error about it begins, such as `The image does not boot`. */
  lead: string
  /** What else tells it from other starts, behind the lead; may be empty. */
  on: string
  boot: BootInputs
  /** Name that the machine has been given. */
  hostname: string
  devices: Devices
  pace: Pace
  workDir: string
  overlay: string
  /** File that all that the console says is added to. */
  serialLog: string
  /** File in the work folder for the picture of the display. */
  screenshot: string
  /** Words that scripts in the machine are known by; null if there are none. */
  token: string | null
  /** Where each check is noted when it has ended. */
  cases: TestCase[]
}>

/** A machine that is up. */
export type Up = Readonly<{
  monitor: Monitor
  /** Seconds from power-on to the sign of success. */
  seconds: number
  /** The line that showed it. */
  evidence: string
  phases: readonly Phase[]
  /** Names of systemd's units that had failed by then. */
  failedUnits: readonly string[]
  guest: Guest | null
  /** Settles when it goes down without being asked to. */
  downfall: Promise<Reason | Error>
  /** From now on it is to power itself off; resolves when it has. */
  expectShutdown: () => Promise<void>
  /** @param quotation the console's last lines unless something else tells more */
  failure: (reason: Reason, quotation?: Quotation) => BootFailure
  /** Notes a check that has ended. */
  note: (name: string, seconds: number, failure: string | null, output?: string) => void
}>

/**
 * Starts the machine, waits for the sign of success and has the work done in the machine that is up.
 * @throws BootFailure if it does not come up; KvmFailure if it is KVM that failed, not the machine
 */
export async function withMachine<T>(
  host: Host,
  undo: Undo,
  start: Start,
  work: (up: Up) => Promise<T>
): Promise<T> {
  const { boot, devices, pace, workDir, overlay, token, cases, on } = start
  const { accelerator } = pace
  const { memoryMiB, cpus } = boot
  // A socket's path holds 107 bytes at most (unix(7)), fewer than the work folder's may have: QEMU, which runs in that folder, names
  // it by its file name, and this process through a descriptor of the folder.
  const folder = openSync(workDir, 'r')
  const sockets = { monitor: 'monitor.qmp', guest: token === null ? null : 'guest.socket' }
  const forwards = [...new Set(boot.expectations.map(({ port }) => port))]
  const begin = performance.now()
  const secondsSince = (): number => (performance.now() - begin) / 1000
  const qemu = host.start(
    qemuArgv({
      ...{ name: `docker-to-disk-${undo.runId}`, accelerator, memoryMiB, cpus, overlay, forwards, devices },
      ...sockets
    }),
    { stdio: ['ignore', 'pipe', 'pipe'], cwd: workDir }
  )
  const log = new ConsoleLog(start.serialLog)
  const monitor = new Monitor(`/proc/self/fd/${folder}/${sockets.monitor}`)
  const guest = token === null ? null : new Guest(`/proc/self/fd/${folder}/${sockets.guest}`, token)
  void qemu.ended.then(() => monitor.close())
  const judge = new Judge({
    sign: { pattern: boot.successPattern, hostname: start.hostname },
    timeout: { seconds: pace.timeout, within: describeTimeout(boot, pace) }
  })
  const { successPattern: pattern } = boot
  const watch = new MachineWatch({ qemu, monitor, log, accelerator, pattern, secondsSince })
  const note: Up['note'] = (check, seconds, failure, output = '') =>
    void cases.push({ name: check, machine: describeDevices(devices), seconds, failure, output })
  const consoleOf = ({ quotation: lines }: Judge): Quotation => ({ what: 'The console', lines })
  let verdict: Verdict | Error | null = null
  try {
    verdict = await watch.follow(judge)
    if (host.cancelled.aborted) throw host.cancelled.reason
    if (judge.partial.trim() !== '') log.line(judge.partial)
    if (verdict instanceof Error) throw verdict
    const { phases, failedUnits } = judge
    if (verdict.outcome === 'failure') {
      const progress = { accelerator, seconds: verdict.at, phases }
      const failed = new BootFailure(verdict.reason, progress, consoleOf(judge), start.lead + on)
      note(start.name, verdict.at, failed.message)
      throw failed
    }
    const { at: seconds, line: evidence } = verdict
    note(start.name, seconds, null)
    // A console whose machine is up already: only failures are seen.
    const later = new Judge({ sign: { pattern: /(?!)/, hostname: null }, timeout: null, isUp: true })
    const downfall = watch
      .follow(later)
      .then(end => (end instanceof Error || end.outcome === 'success' ? unexpected(end) : end.reason))
    return await work({
      ...{ monitor, seconds, evidence, phases, failedUnits, guest, note, downfall },
      expectShutdown: () => watch.expectShutdown(),
      failure: (reason, quotation) => {
        const told = later.quotation.length > 0 ? later : judge
        const progress = { accelerator, seconds: secondsSince(), phases }
        const lead = `The image boots${on}, but a check failed`
        return new BootFailure(reason, progress, quotation ?? consoleOf(told), lead)
      }
    })
  } catch (error) {
    throw host.cancelled.aborted ? host.cancelled.reason : error
  } finally {
    watch.close()
    // Where KVM failed, the machine is started anew, and there is nothing to be seen of this one.
    if (!host.cancelled.aborted && !(verdict instanceof KvmFailure))
      await takeScreenshot(monitor, start.screenshot)
    await qemu.end(2000)
    monitor.close()
    guest?.close()
    await log.close()
    closeSync(folder)
    for (const socket of Object.values(sockets))
      if (socket !== null) rmSync(join(workDir, socket), { force: true })
  }
}

const unexpected = (end: Verdict | Error): Error =>
  end instanceof Error ? end : new Error('A machine that is up cannot come up.')

function describeTimeout(boot: BootInputs, pace: Pace): string {
  const doubled = pace.timeout === boot.timeout ? '' : `, doubled from ${boot.timeout} without KVM`
  return `boot-timeout (${pace.timeout} seconds${doubled})`
}

/** Milliseconds for a pattern in one chunk of the console: shorter than what a cancelled run has for its undoing. */
const PATTERN_LIMIT = 5000

const endlessPattern = ({ source }: RegExp): ActionError =>
  new ActionError(
    `Input boot-success-pattern is ${JSON.stringify(source)}, but it is not done with a line of the console after ` +
      `${PATTERN_LIMIT / 1000} seconds. Write it without a repetition inside of a repetition, such as a+b instead of (a+)+b.`,
    'Wrong input'
  )

type Sources = Readonly<{
  qemu: Running
  monitor: Monitor
  log: ConsoleLog
  accelerator: Acceleration
  /** The user's own sign of success, which is not known to come to an end. */
  pattern: RegExp | null
  secondsSince: () => number
}>

/** Tells one judge after the other of all that happens to a machine, and keeps the time for them. */
class MachineWatch {
  #judge: Judge | null = null
  #decide: (end: Verdict | Error) => void = () => {}
  #timer: NodeJS.Timeout | undefined
  #stderr = ''
  #shutDown: (() => void) | null = null

  constructor(private readonly sources: Sources) {
    const { qemu, monitor, log, accelerator } = sources
    qemu.stdout?.on('data', (chunk: Buffer) => {
      log.write(chunk)
      for (const line of this.#hear(chunk)) log.line(line)
      this.#look()
    })
    log.onError(error => this.#decide(error))
    qemu.stderr?.setEncoding('utf8')
    qemu.stderr?.on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-4096)
      if (accelerator === 'kvm' && KVM_FAILURE.test(this.#stderr))
        this.#decide(new KvmFailure(firstLine(this.#stderr)))
    })
    monitor.onEvent = (name, data) => {
      // Without this the machine would wait for space, and this for the machine, until the timeout.
      if (name === 'BLOCK_IO_ERROR' && data.nospace)
        this.#decide(new Error("QEMU cannot write the machine's disk: no space left on device"))
      const event = readEvent(name, data)
      if (event?.kind === 'shutdown' && this.#shutDown !== null) this.#shutDown()
      else if (event !== null) this.#notice(event)
    }
    void qemu.ended.then(end => {
      if (accelerator === 'kvm' && !(this.#judge?.spoke ?? false))
        this.#decide(new KvmFailure(firstLine(this.#stderr) || 'QEMU ended at once'))
      this.#notice({ kind: 'ended', reason: endReason(end, this.#stderr) })
    })
  }

  /** Resolves to the judge's verdict, or to what failed on the host's side. */
  follow(judge: Judge): Promise<Verdict | Error> {
    this.#judge = judge
    return new Promise(resolve => {
      this.#decide = resolve
      this.#look()
    })
  }

  expectShutdown(): Promise<void> {
    return new Promise(resolve => {
      this.#shutDown = resolve
    })
  }

  /** What happens from now on matters to nobody. */
  close(): void {
    clearTimeout(this.#timer)
    this.sources.monitor.onEvent = () => {}
    this.#judge = null
  }

  /** @returns the lines that the chunk completes */
  #hear(chunk: Buffer): string[] {
    const { pattern, secondsSince } = this.sources
    const judge = this.#judge
    if (judge === null) return []
    const hear = (): string[] => judge.hear(chunk, secondsSince())
    if (pattern === null) return hear()
    try {
      return interruptible(PATTERN_LIMIT, hear)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== INTERRUPTED) throw error
      // It was stopped in the middle of its work.
      this.#judge = null
      this.#decide(endlessPattern(pattern))
      return []
    }
  }

  #notice(event: MachineEvent): void {
    this.#judge?.notice(event, this.sources.secondsSince())
    this.#look()
  }

  /** Sees whether there is a verdict, and looks again when time alone may bring it. */
  #look(): void {
    clearTimeout(this.#timer)
    const judge = this.#judge
    if (judge === null) return
    if (judge.verdict !== null) {
      this.#decide(judge.verdict)
      return
    }
    const { due } = judge
    if (due === null) return
    const wake = (): void => {
      // A timer may be a millisecond early.
      judge.tick(Math.max(due, this.sources.secondsSince()))
      this.#look()
    }
    this.#timer = setTimeout(wake, Math.max(0, due - this.sources.secondsSince()) * 1000)
  }
}

/** What an event of QMP means for the machine; null for nothing. */
export function readEvent(name: string, data: Readonly<Record<string, unknown>>): MachineEvent | null {
  if (name === 'GUEST_PANICKED' || data.reason === 'guest-panic') return { kind: 'panicked' }
  // Others are those of a QEMU that is told to reset or end the machine.
  if (data.guest !== true) return null
  if (name === 'RESET') return { kind: 'reset' }
  return name === 'SHUTDOWN' ? { kind: 'shutdown' } : null
}

const firstLine = (text: string): string => text.trim().split('\n')[0] ?? ''

function endReason({ exitCode, signal }: Awaited<Running['ended']>, stderr: string): Reason {
  const words = stderr.trim().split('\n').slice(-3).map(inert).join(' ')
  return {
    id: 'qemu-ended',
    summary: `QEMU ${signal ? `was ended by ${signal}` : `ended with exit code ${exitCode}`}${words ? `: ${words}` : ''}.`,
    advice:
      'If memory was short on the runner, lower memory; otherwise the message above says what QEMU could not do.'
  }
}
