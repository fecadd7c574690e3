import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { appendFileSync, closeSync, createWriteStream, openSync, rmSync, type WriteStream } from 'node:fs'
import { join } from 'node:path'
import * as core from '@actions/core'
import { uncleanFilesystem } from '../disk.ts'
import type { Edit } from '../edits.ts'
import { ActionError } from '../errors.ts'
import type { Host, Running } from '../host.ts'
import type { BootInputs } from '../inputs.ts'
import { formatSeconds, inert } from '../text.ts'
import type { Undo } from '../undo.ts'
import type { Devices } from './devices.ts'
import type { Cause } from './diagnosis.ts'
import {
  type CheckResult,
  meetExpectations,
  nameOf,
  readForwards,
  type UnmetExpectation
} from './expectations.ts'
import { Guest, type ScriptResult } from './guest.ts'
import { type GuestScript, hookEdits, persistenceScripts } from './guest-tests.ts'
import type { TestCase } from './junit.ts'
import { KvmFailure, makeKvmUsable, noKvm } from './kvm.ts'
import { KVM_FAILURE, qemuArgv } from './machine.ts'
import { Monitor } from './monitor.ts'
import { takeScreenshot } from './screenshot.ts'
import { ConsoleWatch } from './watch.ts'

export type BootResult = Readonly<{
  devices: Devices
  accelerator: 'kvm' | 'tcg'
  /** Seconds from power-on to the line that decided. */
  seconds: number
  /** The line that showed success. */
  evidence: string
  /** What held in the machine once it was up. */
  checks: readonly CheckResult[]
}>

type Reason = Pick<Cause, 'id' | 'summary' | 'advice'>

/** What a failure's message quotes. */
type Quotation = Readonly<{ what: string; lines: readonly string[] }>

const consoleOf = (watch: ConsoleWatch): Quotation => ({ what: 'The console', lines: watch.quotation })

/** A machine that did not come up, or did not do what it should; the message holds cause, advice and last lines. */
export class BootFailure extends ActionError {
  constructor(
    readonly diagnosis: Reason,
    readonly accelerator: 'kvm' | 'tcg',
    readonly seconds: number,
    { what, lines }: Quotation,
    lead: string
  ) {
    super(
      [
        `${lead}: ${diagnosis.summary} (after ${formatSeconds(seconds)}, ${accelerator.toUpperCase()})`,
        diagnosis.advice,
        ...(lines.length > 0
          ? [`${what} ends with:`, ...lines.map(line => `  ${inert(line)}`)]
          : [`${what} is empty.`])
      ].join('\n'),
      'Boot check failed'
    )
  }
}

/**
 * Milliseconds in which the console may still add to a failure: a panic's own lines follow its first, and the last lines of a
 * machine that stops come by another way than the news that it did.
 */
const AFTERMATH = 400

/** Milliseconds that what is expected of the machine has at least, however long the boot took of boot-timeout. */
const LEAST_FOR_EXPECTATIONS = 15_000

type Options = Readonly<{
  disk: string
  boot: BootInputs
  /** At least one. */
  machines: readonly Devices[]
  workDir: string
  /** File for all that the console says. */
  serialLog: string
  /** File in the work folder for the picture of the display. */
  screenshot: string
  /** Where each check is noted when it has ended. */
  cases: TestCase[]
  /** Makes a copy of the disk that starts through {@link STARTER}, with these files in it; for scripts in the machine. */
  copyDisk: (edits: readonly Edit[]) => Promise<string>
  /** Path of the image's own init. */
  init: string
}>

/** How QEMU runs the machine, and how long it may take to come up. */
type Pace = Readonly<{
  accelerator: 'kvm' | 'tcg'
  /** Seconds from power-on to the verdict at the latest. */
  timeout: number
  /** What the user's limits in seconds are multiplied by. */
  stretch: number
}>

/** What limits are multiplied by where KVM was wanted and QEMU's own emulation has to do. */
const TCG_STRETCH = 2

/**
 * Boots a throwaway overlay of the disk in QEMU and waits for the sign of success, on each machine in turn.
 * @throws BootFailure if one does not come up
 */
export async function checkBoot(host: Host, undo: Undo, options: Options): Promise<BootResult[]> {
  const { boot, machines } = options
  const fallBack = (reason: string): Pace => {
    if (boot.accelerator === 'kvm') throw noKvm(reason)
    const timeout = boot.timeout * TCG_STRETCH
    core.info(
      `No KVM (${inert(reason)}): the machine runs under TCG, QEMU's own emulation, which is several times slower. ` +
        `boot-timeout is doubled to ${timeout} seconds, test-timeout too.`
    )
    return { accelerator: 'tcg', timeout, stretch: TCG_STRETCH }
  }
  const unusable = boot.accelerator === 'tcg' ? null : await makeKvmUsable(host, undo)
  let pace: Pace = {
    accelerator: boot.accelerator === 'tcg' ? 'tcg' : 'kvm',
    timeout: boot.timeout,
    stretch: 1
  }
  if (unusable !== null) pace = fallBack(unusable)
  const scripts = await prepareScripts(options)
  const results: BootResult[] = []
  for (const [i, devices] of machines.entries()) {
    if (machines.length > 1) {
      const title = `Machine ${i + 1} of ${machines.length}: ${describeDevices(devices)}`
      core.info(title)
      appendFileSync(options.serialLog, `${i > 0 ? '\n' : ''}=== ${title} ===\n`)
    }
    const trial = { options, devices, scripts, persists: boot.checkPersistence && i === machines.length - 1 }
    try {
      results.push(await attempt(host, undo, { ...trial, pace }))
    } catch (error) {
      if (!(error instanceof KvmFailure)) throw error
      pace = fallBack(error.message)
      results.push(await attempt(host, undo, { ...trial, pace }))
    }
    const { evidence, seconds, accelerator } = results[i] as BootResult
    core.info(
      `The image boots: ${inert(evidence)} after ${formatSeconds(seconds)} under ${accelerator.toUpperCase()}`
    )
  }
  return results
}

const describeDevices = ({ diskBus, networkCard }: Devices): string =>
  `disk on ${diskBus}, network card ${networkCard}`

/** What runs inside of the machine, and the copy of the disk that it is in. */
type Scripts = Readonly<{
  disk: string
  token: string
  /** By their numbers, from 1. */
  all: readonly GuestScript[]
}>

/** Resolves to null if nothing is to run in the machine; the disk then boots as it is. */
async function prepareScripts({ boot, copyDisk, init }: Options): Promise<Scripts | null> {
  if (boot.scripts.length === 0 && !boot.checkPersistence) return null
  const token = `docker-to-disk-${randomBytes(8).toString('hex')}`
  const { write, shutDown, read } = persistenceScripts(token)
  const all = [...boot.scripts, ...(boot.checkPersistence ? [write, shutDown, read] : [])]
  const disk = await copyDisk(hookEdits(all, token, init))
  return { disk, token, all }
}

/** One machine of the check. */
type Trial = Readonly<{
  options: Options
  devices: Devices
  pace: Pace
  scripts: Scripts | null
  /** Whether a second boot has to see what the first wrote. */
  persists: boolean
}>

/** A machine that is up. */
type Up = Readonly<{
  qemu: Running
  monitor: Monitor
  seconds: number
  evidence: string
  guest: Guest | null
  /** Settles when it goes down. */
  downfall: Promise<Reason | Error>
  /** @param quotation the console's last lines unless something else tells more */
  failure: (reason: Reason, quotation?: Quotation) => BootFailure
  /** Notes a check that has ended. */
  note: (name: string, seconds: number, failure: string | null, output?: string) => void
}>

/** Takes one machine through all of its checks. Throws KvmFailure if it is KVM that failed, not the machine. */
async function attempt(host: Host, undo: Undo, trial: Trial): Promise<BootResult> {
  const { options, devices, pace, scripts, persists } = trial
  const { boot, workDir } = options
  const base = scripts?.disk ?? options.disk
  const overlay = join(workDir, 'overlay.qcow2')
  await host.run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', base, overlay])
  try {
    const result = await withMachine(host, undo, trial, overlay, 'boot', async up => {
      const { seconds, evidence } = up
      if (boot.maxSeconds !== null) {
        const cause = seconds > boot.maxSeconds ? overBudget(seconds, boot.maxSeconds) : null
        up.note('max-boot-seconds', seconds, cause?.summary ?? null)
        if (cause !== null) throw up.failure(cause)
      }
      const checks = [...(await checkExpectations(up, boot, pace)), ...(await runScripts(up, boot, pace))]
      if (persists) await writeAndShutDown(up, boot, pace)
      return { devices, accelerator: pace.accelerator, seconds, evidence, checks }
    })
    if (!persists) return result
    await host.run(['qemu-img', 'commit', '-q', overlay], { timeout: 30 * 60_000 })
    const unclean = await uncleanFilesystem(host, base)
    const again = await withMachine(host, undo, trial, overlay, 'second boot', up =>
      readAgain(up, boot, pace, unclean)
    )
    return { ...result, checks: [...result.checks, again] }
  } finally {
    rmSync(overlay, { force: true })
  }
}

/**
 * Starts the machine, waits for the sign of success and has the work done in the machine that is up.
 * @param name of the boot as a check
 */
async function withMachine<T>(
  host: Host,
  undo: Undo,
  trial: Trial,
  overlay: string,
  name: string,
  work: (up: Up) => Promise<T>
): Promise<T> {
  const { devices, pace, scripts, options } = trial
  const { boot, serialLog, screenshot, workDir, machines, cases } = options
  const { accelerator } = pace
  // A socket's path holds 107 bytes at most (unix(7)), fewer than the work folder's may have: QEMU, which runs in that folder, names
  // it by its file name, and this process through a descriptor of the folder.
  const folder = openSync(workDir, 'r')
  const sockets = { monitor: 'monitor.qmp', guest: scripts === null ? null : 'guest.socket' }
  const { memoryMiB, cpus } = boot
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
  const log = createWriteStream(serialLog, { flags: 'a' })
  const monitor = new Monitor(`/proc/self/fd/${folder}/${sockets.monitor}`)
  const guest = scripts === null ? null : new Guest(`/proc/self/fd/${folder}/${sockets.guest}`, scripts.token)
  void qemu.ended.then(() => monitor.close())
  const watch = new ConsoleWatch(boot.successPattern)
  const on =
    machines.length > 1 || devices.diskBus !== 'virtio' ? ` with its ${describeDevices(devices)}` : ''
  const note: Up['note'] = (check, seconds, failure, output = '') =>
    void cases.push({ name: check, machine: describeDevices(devices), seconds, failure, output })
  try {
    const verdict = await watchMachine(qemu, { watch, monitor, boot, log, pace })
    const seconds = secondsSince()
    if (host.cancelled.aborted) throw host.cancelled.reason
    if (watch.partial.trim() !== '') printGuest(watch.partial)
    if (verdict instanceof Error) throw verdict
    if (typeof verdict !== 'string') {
      const lead = name === 'boot' ? 'The image does not boot' : 'The image does not boot a second time'
      const failed = new BootFailure(verdict, accelerator, seconds, consoleOf(watch), lead + on)
      note(name, seconds, failed.message)
      throw failed
    }
    note(name, seconds, null)
    const later = new ConsoleWatch(NEVER)
    const lead = `The image boots${on}, but a check failed`
    return await work({
      ...{ qemu, monitor, seconds, evidence: verdict, guest, note },
      downfall: downfall(qemu, monitor, later),
      failure: (reason, quotation) => {
        const end = later.quotation.length > 0 ? later : watch
        return new BootFailure(reason, accelerator, secondsSince(), quotation ?? consoleOf(end), lead)
      }
    })
  } catch (error) {
    throw host.cancelled.aborted ? host.cancelled.reason : error
  } finally {
    if (!host.cancelled.aborted) await takeScreenshot(monitor, screenshot)
    await qemu.end(2000)
    monitor.close()
    guest?.close()
    log.end()
    await once(log, 'close').catch(() => {})
    closeSync(folder)
    for (const socket of Object.values(sockets))
      if (socket !== null) rmSync(join(workDir, socket), { force: true })
  }
}

const printGuest = (line: string): void => core.info(`guest │ ${inert(line)}`)

/** Resolves to the line of success, the reason of failure, or what failed on the host's side. */
function watchMachine(
  qemu: Running,
  facts: {
    watch: ConsoleWatch
    monitor: Monitor
    boot: BootInputs
    log: WriteStream
    pace: Pace
  }
): Promise<string | Reason | Error> {
  const { watch, monitor, boot, log, pace } = facts
  const { accelerator } = pace
  let stderr = ''
  return new Promise(resolve => {
    const timer = setTimeout(() => resolve(timeoutCause(boot, pace, watch.spoke)), pace.timeout * 1000)
    qemu.stdout?.on('data', (chunk: Buffer) => {
      log.write(chunk)
      const decidedBefore = watch.decision !== null
      for (const line of watch.write(chunk)) printGuest(line)
      if (decidedBefore || watch.decision === null) return
      clearTimeout(timer)
      const { line, outcome } = watch.decision
      if (outcome === 'success') resolve(line)
      else setTimeout(() => resolve(outcome), AFTERMATH)
    })
    // Without these the machine would wait for space, and this for the machine, until the timeout.
    monitor.onDiskFull = () => resolve(diskFull())
    monitor.onShutdown = reason =>
      setTimeout(() => {
        if (watch.decision === null) resolve(shutdownCause(reason, 'before it was up'))
      }, AFTERMATH)
    log.on('error', resolve)
    qemu.stderr?.setEncoding('utf8')
    qemu.stderr?.on('data', (text: string) => {
      stderr = (stderr + text).slice(-4096)
      if (accelerator === 'kvm' && KVM_FAILURE.test(stderr)) resolve(new KvmFailure(firstLine(stderr)))
    })
    void qemu.ended.then(end => {
      clearTimeout(timer)
      if (accelerator === 'kvm' && !watch.spoke)
        resolve(new KvmFailure(firstLine(stderr) || 'QEMU ended at once'))
      if (watch.decision === null) resolve(endCause(end, stderr))
    })
  })
}

/** Matches no line: for a console whose machine is up already, so that only failures are seen. */
const NEVER = /(?!)/

/**
 * Waits until all that is expected of the machine holds.
 * @throws BootFailure if that takes too long or the machine goes down
 */
async function checkExpectations(up: Up, boot: BootInputs, pace: Pace): Promise<CheckResult[]> {
  const { expectations } = boot
  if (expectations.length === 0) return []
  const left = Math.max((pace.timeout - up.seconds) * 1000, LEAST_FOR_EXPECTATIONS)
  core.info(`The machine is up. Waiting for ${expectations.map(nameOf).join(', ')}`)
  const giveUp = new AbortController()
  const timer = setTimeout(() => giveUp.abort(), left)
  const forwards = async () => {
    const usernet = await up.monitor
      .execute('human-monitor-command', { 'command-line': 'info usernet' })
      .catch(() => '')
    return readForwards(`${usernet}`)
  }
  try {
    const outcome = await Promise.race([meetExpectations(expectations, forwards, giveUp.signal), up.downfall])
    if (outcome instanceof Error) throw outcome
    if (!('met' in outcome)) {
      for (const expected of expectations) up.note(nameOf(expected), 0, outcome.summary)
      throw up.failure(outcome)
    }
    const { met, unmet } = outcome
    for (const { name, seconds } of met) {
      core.info(`${name}: holds after ${formatSeconds(seconds)}`)
      up.note(name, seconds, null)
    }
    for (const { name, answer } of unmet) up.note(name, left / 1000, answer)
    if (unmet.length > 0) throw up.failure(unmetCause(unmet, left / 1000))
    return met
  } finally {
    clearTimeout(timer)
    giveUp.abort()
  }
}

/**
 * Runs the user's scripts in the machine, one after the other, all of them even if one fails.
 * @throws BootFailure if one fails
 */
async function runScripts(up: Up, boot: BootInputs, pace: Pace): Promise<CheckResult[]> {
  const ended: (ScriptResult & { name: string })[] = []
  for (const [i, { name }] of boot.scripts.entries()) {
    // What did not end, or never began, keeps the next from running.
    if (ended.at(-1)?.exitCode === null) break
    core.info(`Running ${inert(name)} in the machine`)
    const result = await runInGuest(up, name, i + 1, boot.testTimeout * pace.stretch)
    const failure = failureOf(result, 'It')
    up.note(name, result.seconds, failure, result.output)
    core.info(
      `${inert(name)}: ${failure === null ? 'passed' : 'failed'} after ${formatSeconds(result.seconds)}`
    )
    ended.push({ ...result, name })
  }
  const failed = ended.filter(({ exitCode }) => exitCode !== 0)
  const [first] = failed
  if (first === undefined) return ended.map(({ name, seconds }) => ({ name, seconds }))
  throw up.failure(
    {
      id: 'test-script',
      summary: failed.map(result => failureOf(result, inert(result.name))).join(' '),
      advice: 'All that it printed is in the log, behind "test │".'
    },
    { what: `The output of ${inert(first.name)}`, lines: first.lastLines }
  )
}

function failureOf({ exitCode, began, limit }: ScriptResult, what: string): string | null {
  if (exitCode === 0) return null
  if (exitCode !== null) return `${what} failed with exit code ${exitCode}.`
  return began
    ? `${what} did not end within test-timeout (${limit} seconds).`
    : `${what} could not be started within ${limit} seconds: the machine has no second serial port, /dev/ttyS1, or ended what was started before its init.`
}

/** @throws BootFailure if the machine goes down meanwhile */
async function runInGuest(up: Up, name: string, number: number, seconds: number): Promise<ScriptResult> {
  if (up.guest === null) throw new Error('The machine has no scripts.')
  const outcome = await Promise.race([up.guest.run(number, seconds), up.downfall])
  if (outcome instanceof Error) throw outcome
  if ('seconds' in outcome) return outcome
  up.note(name, 0, outcome.summary)
  throw up.failure({ ...outcome, summary: `While ${inert(name)} ran: ${outcome.summary}` })
}

const PERSISTENCE = 'check-persistence'

/** Seconds for each step of the persistence check. */
const PERSISTENCE_LIMIT = 120

const persistenceFailure = (
  up: Up,
  summary: string,
  advice: string,
  lines: readonly string[] = []
): BootFailure => {
  up.note(PERSISTENCE, 0, summary, lines.join('\n'))
  const reason = { id: 'persistence', summary: `${PERSISTENCE}: ${summary}`, advice }
  return lines.length > 0 ? up.failure(reason, { what: 'What the machine said', lines }) : up.failure(reason)
}

/** Writes a file in the machine and has the machine shut itself down. */
async function writeAndShutDown(up: Up, boot: BootInputs, pace: Pace): Promise<void> {
  const limit = PERSISTENCE_LIMIT * pace.stretch
  const first = boot.scripts.length + 1
  const written = await runInGuest(up, PERSISTENCE, first, limit)
  if (written.exitCode !== 0) {
    const summary = failureOf(written, 'Writing a file to the root filesystem') ?? ''
    throw persistenceFailure(
      up,
      summary,
      'The root filesystem has to be writable once the system is up: look at ro in kernel-args, at /etc/fstab, and at what remounts it.',
      written.lastLines
    )
  }
  core.info('A file was written; the machine is shut down now.')
  const down = new Promise<true>(resolve => {
    up.monitor.onShutdown = () => resolve(true)
  })
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<false>(resolve => {
    timer = setTimeout(() => resolve(false), limit * 1000)
  })
  const asked = runInGuest(up, PERSISTENCE, first + 1, limit)
  // It may be ended before it can tell that it has ended, and then has not failed.
  const hasFailed = ({ exitCode }: ScriptResult): boolean =>
    exitCode !== null && exitCode > 0 && exitCode < 128
  const refused = asked.then(said => (hasFailed(said) ? said : new Promise<never>(() => {})))
  const outcome = await Promise.race([down, late, refused])
  clearTimeout(timer)
  if (outcome === true) return
  throw persistenceFailure(
    up,
    outcome === false
      ? `The machine did not power itself off within ${limit} seconds.`
      : (failureOf(outcome, 'The command poweroff') ?? ''),
    'The command poweroff has to work in the image, and every service has to end when it is told to.',
    outcome === false ? [] : outcome.lastLines
  )
}

/** Looks in the second boot for what the first wrote. */
async function readAgain(up: Up, boot: BootInputs, pace: Pace, unclean: string | null): Promise<CheckResult> {
  const read = await runInGuest(up, PERSISTENCE, boot.scripts.length + 3, PERSISTENCE_LIMIT * pace.stretch)
  if (read.exitCode !== 0) {
    throw persistenceFailure(
      up,
      'The second boot does not see what the first wrote.',
      'Something takes the place of the root filesystem, such as an overlay in memory, or undoes what was written.',
      read.lastLines
    )
  }
  if (unclean !== null) {
    throw persistenceFailure(
      up,
      `The root filesystem was not shut down cleanly: ${unclean}.`,
      'Something keeps it from being unmounted, or mounted read-only, at the end: under BusyBox init a line such as ::shutdown:/bin/umount -a -r in /etc/inittab does that.'
    )
  }
  core.info(`${PERSISTENCE}: the second boot sees what the first wrote`)
  up.note(PERSISTENCE, up.seconds, null)
  return { name: PERSISTENCE, seconds: up.seconds }
}

const overBudget = (seconds: number, most: number): Reason => ({
  id: 'over-budget',
  summary: `The boot took ${(seconds - most).toFixed(1)} seconds more than max-boot-seconds (${most}) allows.`,
  advice:
    'Look at the times in the console for what holds it up; under systemd, systemd-analyze blame tells. Under TCG a machine ' +
    'takes several times as long as under KVM.'
})

const unmetCause = (unmet: readonly UnmetExpectation[], seconds: number): Reason => ({
  id: 'expectation',
  summary: `${unmet.map(({ name, answer }) => `${name}: ${answer}`).join('; ')}, ${Math.round(seconds)} seconds after the machine was up.`,
  advice:
    'Look whether the service is enabled and what it says. It has to listen on all addresses, not on 127.0.0.1 alone, and the ' +
    'machine needs the address that it is offered by DHCP, 10.0.2.15. If it is only slow, raise boot-timeout.'
})

/** Resolves when a machine that is up goes down: it panics, ends, or QEMU cannot go on. */
function downfall(qemu: Running, monitor: Monitor, later: ConsoleWatch): Promise<Reason | Error> {
  return new Promise(resolve => {
    qemu.stdout?.on('data', (chunk: Buffer) => {
      later.write(chunk)
      const outcome = later.decision?.outcome
      if (outcome !== undefined && outcome !== 'success') setTimeout(() => resolve(outcome), AFTERMATH)
    })
    monitor.onDiskFull = () => resolve(diskFull())
    monitor.onShutdown = reason =>
      setTimeout(() => {
        if (later.decision === null) resolve(shutdownCause(reason, 'although it was up'))
      }, AFTERMATH)
    void qemu.ended.then(end => resolve(endCause(end, '')))
  })
}

const diskFull = (): Error => new Error("QEMU cannot write the machine's disk: no space left on device")

const firstLine = (text: string): string => text.trim().split('\n')[0] ?? ''

function timeoutCause(boot: BootInputs, pace: Pace, spoke: boolean): Reason {
  const doubled = pace.timeout === boot.timeout ? '' : `, doubled from ${boot.timeout} without KVM`
  const limit = `boot-timeout (${pace.timeout} seconds${doubled})`
  const sign = boot.successPattern === null ? 'login prompt' : `line that matches ${boot.successPattern}`
  if (!spoke) {
    return {
      id: 'silent-console',
      summary: `Nothing appeared on the serial console within ${limit}.`,
      advice: 'The kernel may log elsewhere: leave serial-console true and console= out of kernel-args.'
    }
  }
  return {
    id: 'timeout',
    summary: `No ${sign} appeared on the serial console within ${limit}.`,
    advice:
      'If the system was still starting, raise boot-timeout. If it was up, it has no getty on ttyS0: enable one, or set boot-success-pattern to a line that it prints.'
  }
}

/** @param reason of QMP's event SHUTDOWN */
const shutdownCause = (reason: string, when: 'before it was up' | 'although it was up'): Reason =>
  reason === 'guest-reset'
    ? {
        id: 'reset',
        summary: `The machine reset itself ${when}.`,
        advice: 'A kernel or init that reboots on failure: the last lines above say why it gave up.'
      }
    : {
        id: 'shutdown',
        summary: `The machine powered itself off ${when}.`,
        advice: 'Something in the image shuts it down during boot: the last lines above name it.'
      }

function endCause({ exitCode, signal }: Awaited<Running['ended']>, stderr: string): Reason {
  const words = stderr.trim().split('\n').slice(-3).map(inert).join(' ')
  return {
    id: 'qemu-ended',
    summary: `QEMU ${signal ? `was ended by ${signal}` : `ended with exit code ${exitCode}`}${words ? `: ${words}` : ''}.`,
    advice:
      'If memory was short on the runner, lower memory; otherwise the message above says what QEMU could not do.'
  }
}
