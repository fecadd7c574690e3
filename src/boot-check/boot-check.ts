import { appendFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import * as core from '@actions/core'
import { uncleanFilesystem } from '../disk.ts'
import type { Edit } from '../edits.ts'
import type { Host } from '../host.ts'
import type { BootInputs } from '../inputs.ts'
import { formatSeconds, inert } from '../text.ts'
import type { Undo } from '../undo.ts'
import { NO_TIMER } from './causes.ts'
import {
  checkBudget,
  checkExpectations,
  checkFailedUnits,
  checkSteadiness,
  planScripts,
  readAgain,
  runScripts,
  type Scripts,
  writeAndShutDown
} from './checks.ts'
import { type Devices, describeDevices } from './devices.ts'
import type { CheckResult } from './expectations.ts'
import { type Acceleration, BootFailure } from './failure.ts'
import { hookEdits } from './guest-tests.ts'
import type { TestCase } from './junit.ts'
import { KvmFailure, makeKvmUsable, noKvm } from './kvm.ts'
import type { Phase } from './phases.ts'
import { type Pace, withMachine } from './session.ts'

export type BootResult = Readonly<{
  devices: Devices
  accelerator: Acceleration
  /** Seconds from power-on to the line that decided. */
  seconds: number
  /** The line that showed success. */
  evidence: string
  /** From power-on to that line, as far as the console told of them. */
  phases: readonly Phase[]
  /** Names of systemd's units that failed, as far as the console or systemd told. */
  failedUnits: readonly string[]
  /** What held in the machine once it was up. */
  checks: readonly CheckResult[]
}>

type Options = Readonly<{
  disk: string
  boot: BootInputs
  /** Name that the image gives to its machine. */
  hostname: string
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

/** What limits are multiplied by where KVM was wanted and QEMU's own emulation has to do. */
const TCG_STRETCH = 2

/**
 * Boots a throwaway overlay of the disk in QEMU and waits for the sign of success, on each machine in turn.
 * @throws BootFailure if one does not come up
 */
export async function checkBoot(host: Host, undo: Undo, options: Options): Promise<BootResult[]> {
  const { boot, machines, cases } = options
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
  const scripts = planScripts(boot)
  const disk =
    scripts === null
      ? options.disk
      : await options.copyDisk(hookEdits(scripts.all, scripts.token, options.init))
  /** Under TCG if KVM fails, and once more if it was the runner that failed. */
  const bootOn = async (trial: Omit<Trial, 'pace'>): Promise<BootResult> => {
    const before = cases.length
    for (let wasBusy = false; ; ) {
      try {
        return await attempt(host, undo, { ...trial, pace })
      } catch (error) {
        if (error instanceof KvmFailure) pace = fallBack(error.message)
        else if (!wasBusy && error instanceof BootFailure && error.reason.id === NO_TIMER) {
          wasBusy = true
          cases.splice(before)
          const words =
            'The runner was too busy for the machine to have a timer that ticks: it is started once more.'
          core.info(words)
          appendFileSync(options.serialLog, `\n=== ${words} ===\n`)
        } else throw error
      }
    }
  }
  const results: BootResult[] = []
  for (const [i, devices] of machines.entries()) {
    if (machines.length > 1) {
      const title = `Machine ${i + 1} of ${machines.length}: ${describeDevices(devices)}`
      core.info(title)
      appendFileSync(options.serialLog, `${i > 0 ? '\n' : ''}=== ${title} ===\n`)
    }
    const trial = {
      options,
      devices,
      disk,
      scripts,
      persists: boot.checkPersistence && i === machines.length - 1
    }
    const result = await bootOn(trial)
    results.push(result)
    const { evidence, seconds, accelerator, phases, failedUnits } = result
    core.info(
      `The image boots: ${inert(evidence.trim())} after ${formatSeconds(seconds)} under ${accelerator.toUpperCase()} ` +
        `(${phases.map(({ name, seconds }) => `${name} ${formatSeconds(seconds)}`).join(', ')})`
    )
    if (failedUnits.length > 0)
      core.warning(`The system is up, but these units failed: ${inert(failedUnits.join(', '))}`, {
        title: 'Failed units'
      })
  }
  return results
}

/** One machine of the check. */
type Trial = Readonly<{
  options: Options
  devices: Devices
  pace: Pace
  /** What the machine boots from: the disk to publish, or the copy with the scripts. */
  disk: string
  scripts: Scripts | null
  /** Whether a second boot has to see what the first wrote. */
  persists: boolean
}>

/** Takes one machine through all of its checks. Throws KvmFailure if it is KVM that failed, not the machine. */
async function attempt(host: Host, undo: Undo, trial: Trial): Promise<BootResult> {
  const { options, devices, pace, disk, scripts, persists } = trial
  const { boot, hostname, workDir, serialLog, screenshot, cases, machines } = options
  const { accelerator } = pace
  const overlay = join(workDir, 'overlay.qcow2')
  await host.run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', disk, overlay])
  const start = {
    ...{
      name: 'boot',
      lead: 'The image does not boot',
      boot,
      hostname,
      devices,
      pace,
      workDir,
      overlay,
      serialLog
    },
    ...{ screenshot, cases, token: scripts?.token ?? null },
    on: machines.length > 1 || devices.diskBus !== 'virtio' ? ` with its ${describeDevices(devices)}` : ''
  }
  try {
    const result = await withMachine(host, undo, start, async up => {
      const since = performance.now()
      const examination = { up, boot, pace, scripts }
      checkBudget(examination)
      const answers = await checkExpectations(examination)
      const scripted = await runScripts(examination)
      const units = await checkFailedUnits(examination)
      await checkSteadiness(examination, since)
      if (persists) await writeAndShutDown(examination)
      const { seconds, evidence, phases } = up
      const failedUnits = [...new Set([...up.failedUnits, ...units.failedUnits])]
      const checks = [...answers, ...scripted, ...units.checks]
      return { devices, accelerator, seconds, evidence, phases, failedUnits, checks }
    })
    if (!persists) return result
    await host.run(['qemu-img', 'commit', '-q', overlay], { timeout: 30 * 60_000 })
    const unclean = await uncleanFilesystem(host, disk)
    const second = { ...start, name: 'second boot', lead: 'The image does not boot a second time' }
    const again = await withMachine(host, undo, second, up => readAgain({ up, boot, pace, scripts }, unclean))
    return { ...result, checks: [...result.checks, again] }
  } finally {
    rmSync(overlay, { force: true })
  }
}
