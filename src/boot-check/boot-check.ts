import { once } from 'node:events'
import { appendFileSync, closeSync, createWriteStream, openSync, rmSync, type WriteStream } from 'node:fs'
import { join } from 'node:path'
import * as core from '@actions/core'
import { ActionError } from '../errors.ts'
import type { Host, Running } from '../host.ts'
import type { BootInputs } from '../inputs.ts'
import { formatSeconds, inert } from '../text.ts'
import type { Undo } from '../undo.ts'
import type { Devices } from './devices.ts'
import type { Cause } from './diagnosis.ts'
import { type CheckResult, meetExpectations, nameOf, readForwards } from './expectations.ts'
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

/** A machine that did not come up, or did not do what it should; the message holds cause, advice and the console's last lines. */
export class BootFailure extends ActionError {
  constructor(
    readonly diagnosis: Reason,
    readonly accelerator: 'kvm' | 'tcg',
    readonly seconds: number,
    lastLines: readonly string[],
    lead: string
  ) {
    super(
      [
        `${lead}: ${diagnosis.summary} (after ${formatSeconds(seconds)}, ${accelerator.toUpperCase()})`,
        diagnosis.advice,
        ...(lastLines.length > 0
          ? ['The console ends with:', ...lastLines.map(line => `  ${inert(line)}`)]
          : ['The console is empty.'])
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
}>

/** How QEMU runs the machine, and how long it may take to come up. */
type Pace = Readonly<{
  accelerator: 'kvm' | 'tcg'
  /** Seconds from power-on to the verdict at the latest. */
  timeout: number
}>

/** What boot-timeout is multiplied by where KVM was wanted and QEMU's own emulation has to do. */
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
        `boot-timeout is doubled to ${timeout} seconds.`
    )
    return { accelerator: 'tcg', timeout }
  }
  const unusable = boot.accelerator === 'tcg' ? null : await makeKvmUsable(host, undo)
  let pace: Pace = { accelerator: boot.accelerator === 'tcg' ? 'tcg' : 'kvm', timeout: boot.timeout }
  if (unusable !== null) pace = fallBack(unusable)
  const results: BootResult[] = []
  for (const [i, devices] of machines.entries()) {
    if (machines.length > 1) {
      const title = `Machine ${i + 1} of ${machines.length}: ${describeDevices(devices)}`
      core.info(title)
      appendFileSync(options.serialLog, `${i > 0 ? '\n' : ''}=== ${title} ===\n`)
    }
    try {
      results.push(await attempt(host, undo, options, devices, pace))
    } catch (error) {
      if (!(error instanceof KvmFailure)) throw error
      pace = fallBack(error.message)
      results.push(await attempt(host, undo, options, devices, pace))
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

class KvmFailure extends Error {}

const noKvm = (reason: string): ActionError =>
  new ActionError(
    `Input accelerator is "kvm", but KVM does not work here: ${reason}. Set accelerator to auto or tcg.`,
    'No KVM'
  )

/** @returns null if /dev/kvm can be opened, else why not */
async function makeKvmUsable(host: Host, undo: Undo): Promise<string | null> {
  const device = '/dev/kvm'
  const open = (): string | null => {
    try {
      closeSync(openSync(device, 'r+'))
      return null
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? 'unknown error'
    }
  }
  const code = open()
  if (code === null) return null
  if (code === 'ENOENT') return `${device} is absent`
  if (code !== 'EACCES') return `${device} cannot be opened: ${code}`
  // Hosted runners have it as root:kvm 0660. A udev rule for it would outlive the run on a self-hosted runner; a changed mode is
  // given back. But udev resets the mode when a package triggers it, as QEMU's does: all programs were installed before, and what
  // they triggered is waited for.
  if (host.which('udevadm') !== null)
    await host.run(['udevadm', 'settle', '--timeout=15'], { allowFailure: true, timeout: 20_000 })
  const present = await host.runAsRoot(['stat', '--format', '%a', device], { allowFailure: true })
  const mode = present.stdout.trim() || '660'
  // Opened meanwhile by another run, which will close it again.
  if (!/[67]$/.test(mode)) undo.register({ kind: 'mode', path: device, mode })
  await host.runAsRoot(['chmod', 'o+rw', device], { allowFailure: true })
  const after = open()
  return after === null ? null : `${device} cannot be opened: ${after}`
}

type Reason = Pick<Cause, 'id' | 'summary' | 'advice'>

/** Runs the machine once, to its verdict. Throws KvmFailure if it is KVM that failed, not the machine. */
async function attempt(
  host: Host,
  undo: Undo,
  { disk, boot, serialLog, screenshot, workDir, machines }: Options,
  devices: Devices,
  pace: Pace
): Promise<BootResult> {
  const { accelerator } = pace
  const overlay = join(workDir, 'overlay.qcow2')
  await host.run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', disk, overlay])
  const name = `docker-to-disk-${undo.runId}`
  // A socket's path holds 107 bytes at most (unix(7)), fewer than the work folder's may have: QEMU, which runs in that folder, names
  // it by its file name, and this process through a descriptor of the folder.
  const socket = 'monitor.qmp'
  const folder = openSync(workDir, 'r')
  const { memoryMiB, cpus } = boot
  const forwards = [...new Set(boot.expectations.map(({ port }) => port))]
  const begin = performance.now()
  const qemu = host.start(
    qemuArgv({ name, accelerator, memoryMiB, cpus, overlay, monitor: socket, forwards, devices }),
    { stdio: ['ignore', 'pipe', 'pipe'], cwd: workDir }
  )
  const log = createWriteStream(serialLog, { flags: 'a' })
  const monitor = new Monitor(`/proc/self/fd/${folder}/${socket}`)
  void qemu.ended.then(() => monitor.close())
  const watch = new ConsoleWatch(boot.successPattern)
  const on =
    machines.length > 1 || devices.diskBus !== 'virtio' ? ` with its ${describeDevices(devices)}` : ''
  const secondsSince = (): number => (performance.now() - begin) / 1000
  try {
    const verdict = await watchMachine(qemu, { watch, monitor, boot, log, pace })
    const seconds = secondsSince()
    if (host.cancelled.aborted) throw host.cancelled.reason
    if (watch.partial.trim() !== '') printGuest(watch.partial)
    if (verdict instanceof Error) throw verdict
    if (typeof verdict !== 'string')
      throw new BootFailure(verdict, accelerator, seconds, watch.quotation, `The image does not boot${on}`)
    if (boot.maxSeconds !== null && seconds > boot.maxSeconds) {
      const cause = overBudget(seconds, boot.maxSeconds)
      throw new BootFailure(
        cause,
        accelerator,
        seconds,
        watch.quotation,
        `The image boots${on}, but too slowly`
      )
    }
    const left = Math.max(pace.timeout * 1000 - (performance.now() - begin), LEAST_FOR_EXPECTATIONS)
    const later = new ConsoleWatch(NEVER)
    const checks = await checkExpectations(qemu, { monitor, boot, later, left })
    if (host.cancelled.aborted) throw host.cancelled.reason
    if (checks instanceof Error) throw checks
    if (!Array.isArray(checks)) {
      const lines = later.quotation.length > 0 ? later.quotation : watch.quotation
      throw new BootFailure(
        checks,
        accelerator,
        secondsSince(),
        lines,
        `The image boots${on}, but a check failed`
      )
    }
    return { devices, accelerator, seconds, evidence: verdict, checks }
  } finally {
    if (!host.cancelled.aborted) await takeScreenshot(monitor, screenshot)
    await qemu.end(2000)
    monitor.close()
    log.end()
    await once(log, 'close').catch(() => {})
    closeSync(folder)
    for (const path of [overlay, join(workDir, socket)]) rmSync(path, { force: true })
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
 * @param left milliseconds that it may take
 * @returns what held; why the check failed, be it that the machine went down; or what failed on the host's side
 */
async function checkExpectations(
  qemu: Running,
  facts: { monitor: Monitor; boot: BootInputs; later: ConsoleWatch; left: number }
): Promise<CheckResult[] | Reason | Error> {
  const { monitor, boot, later, left } = facts
  const { expectations } = boot
  if (expectations.length === 0) return []
  core.info(`The machine is up. Waiting for ${expectations.map(nameOf).join(', ')}`)
  const giveUp = new AbortController()
  const timer = setTimeout(() => giveUp.abort(), left)
  const forwards = async () => {
    const usernet = await monitor
      .execute('human-monitor-command', { 'command-line': 'info usernet' })
      .catch(() => '')
    return readForwards(`${usernet}`)
  }
  try {
    const outcome = await Promise.race([
      meetExpectations(expectations, forwards, giveUp.signal),
      downfall(qemu, monitor, later)
    ])
    if (!('met' in outcome)) return outcome
    const { met, unmet } = outcome
    for (const { name, seconds } of met) core.info(`${name}: holds after ${formatSeconds(seconds)}`)
    return unmet.length === 0 ? met : unmetCause(unmet, left / 1000)
  } finally {
    clearTimeout(timer)
    giveUp.abort()
  }
}

const overBudget = (seconds: number, most: number): Reason => ({
  id: 'over-budget',
  summary: `It takes ${(seconds - most).toFixed(1)} seconds more than max-boot-seconds (${most}) allows.`,
  advice:
    'Look at the times in the console for what holds it up; under systemd, systemd-analyze blame tells. Under TCG a machine ' +
    'takes several times as long as under KVM.'
})

const unmetCause = (unmet: readonly string[], seconds: number): Reason => ({
  id: 'expectation',
  summary: `${unmet.join('; ')}, ${Math.round(seconds)} seconds after the machine was up.`,
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
