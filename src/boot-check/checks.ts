import { randomBytes } from 'node:crypto'
import * as core from '@actions/core'
import { type BootInputs, needsCopy } from '../inputs.ts'
import { formatSeconds, inert } from '../text.ts'
import type { Reason } from './causes.ts'
import {
  type CheckResult,
  meetExpectations,
  nameOf,
  readForwards,
  type UnmetExpectation
} from './expectations.ts'
import type { BootFailure } from './failure.ts'
import type { ScriptResult } from './guest.ts'
import { failedUnitsScript, type GuestScript, persistenceScripts, readFailedUnits } from './guest-tests.ts'
import type { Pace, Up } from './session.ts'

/** What runs inside of the machine. */
export type Scripts = Readonly<{
  /** Word that they are known by. */
  token: string
  /** By their numbers, from 1: the user's first. */
  all: readonly GuestScript[]
  failedUnits: GuestScript
  persistence: Readonly<Record<'write' | 'shutDown' | 'read', GuestScript>>
}>

/** Null if nothing is to run in the machine; its disk then boots as it is. */
export function planScripts(boot: BootInputs): Scripts | null {
  if (!needsCopy(boot)) return null
  const token = `docker-to-disk-${randomBytes(8).toString('hex')}`
  const persistence = persistenceScripts(token)
  const failedUnits = failedUnitsScript(boot.failOnFailedUnits)
  const all = [...boot.scripts, failedUnits, ...(boot.checkPersistence ? Object.values(persistence) : [])]
  return { token, all, failedUnits, persistence }
}

/** A machine that is up, and what is asked of it. */
export type Examination = Readonly<{ up: Up; boot: BootInputs; pace: Pace; scripts: Scripts | null }>

/** Milliseconds that what is expected of the machine has at least, however long the boot took of boot-timeout. */
const LEAST_FOR_EXPECTATIONS = 15_000

/** Milliseconds that a machine has to stay up at least, with nothing asked of it: one that falls at once was not up. */
const STEADY = 2000

/**
 * @param since when it was up, by the clock of performance.now()
 * @throws BootFailure if the machine goes down as soon as it is up
 */
export async function checkSteadiness({ up }: Examination, since: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const steady = new Promise<null>(resolve => {
    timer = setTimeout(() => resolve(null), since + STEADY - performance.now())
  })
  const end = await Promise.race([steady, up.downfall])
  clearTimeout(timer)
  if (end instanceof Error) throw end
  if (end === null) return
  up.note('stays up', STEADY / 1000, end.summary)
  throw up.failure(end)
}

/** @throws BootFailure if the machine took longer to come up than the user allows */
export function checkBudget({ up, boot }: Examination): void {
  const { maxSeconds } = boot
  if (maxSeconds === null) return
  const reason = up.seconds > maxSeconds ? overBudget(up.seconds, maxSeconds) : null
  up.note('max-boot-seconds', up.seconds, reason?.summary ?? null)
  if (reason !== null) throw up.failure(reason)
}

/**
 * Waits until all that is expected of the machine holds.
 * @throws BootFailure if that takes too long or the machine goes down
 */
export async function checkExpectations({ up, boot, pace }: Examination): Promise<CheckResult[]> {
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
export async function runScripts(examination: Examination): Promise<CheckResult[]> {
  const { up, boot, pace } = examination
  const ended: (ScriptResult & { name: string })[] = []
  for (const script of boot.scripts) {
    const { name } = script
    // What did not end, or never began, keeps the next from running.
    if (ended.at(-1)?.exitCode === null) break
    core.info(`Running ${inert(name)} in the machine`)
    const result = await runInGuest(examination, name, script, boot.testTimeout * pace.stretch)
    const failure = failureOf(result, 'It', 'test-timeout')
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
      summary: failed.map(result => failureOf(result, inert(result.name), 'test-timeout')).join(' '),
      advice: 'All that it printed is in the log, behind "test │".'
    },
    { what: `The output of ${inert(first.name)}`, lines: first.lastLines }
  )
}

/** @param input that sets how long it may take; null if none does */
function failureOf(
  { exitCode, began, limit }: ScriptResult,
  what: string,
  input: string | null = null
): string | null {
  if (exitCode === 0) return null
  if (exitCode !== null) return `${what} failed with exit code ${exitCode}.`
  return began
    ? `${what} did not end within ${input === null ? `${limit} seconds` : `${input} (${limit} seconds)`}.`
    : `${what} could not be started within ${limit} seconds: the machine has no second serial port, /dev/ttyS1, or ended what was started before its init.`
}

/** @throws BootFailure if the machine goes down meanwhile */
async function runInGuest(
  { up, scripts }: Examination,
  name: string,
  script: GuestScript,
  seconds: number
): Promise<ScriptResult> {
  if (up.guest === null || scripts === null) throw new Error('The machine has no scripts.')
  const outcome = await Promise.race([up.guest.run(scripts.all.indexOf(script) + 1, seconds), up.downfall])
  if (outcome instanceof Error) throw outcome
  if ('seconds' in outcome) return outcome
  up.note(name, 0, outcome.summary)
  throw up.failure({ ...outcome, summary: `While ${inert(name)} ran: ${outcome.summary}` })
}

const FAILED_UNITS = 'fail-on-failed-units'

/** Seconds for each step of the checks that are not the user's own. */
const STEP_LIMIT = 120

/**
 * Asks systemd, where it runs and something can be run in the machine, for the units that failed.
 * @returns their names, where that is no failure
 * @throws BootFailure if one failed and the user wants none to
 */
export async function checkFailedUnits(
  examination: Examination
): Promise<{ checks: CheckResult[]; failedUnits: string[] }> {
  const { up, boot, pace, scripts } = examination
  if (scripts === null) return { checks: [], failedUnits: [] }
  if (boot.failOnFailedUnits) core.info('The machine is up. Waiting until systemd has started everything')
  const limit = STEP_LIMIT * pace.stretch
  const result = await runInGuest(examination, FAILED_UNITS, scripts.failedUnits, limit)
  const failedUnits = readFailedUnits(result.output)
  if (!boot.failOnFailedUnits) return { checks: [], failedUnits }
  const failed = failedUnits.length > 0 ? `${failedUnits.join(', ')} failed.` : null
  const summary = failureOf(result, 'Asking systemd for its units') ?? failed
  up.note(FAILED_UNITS, result.seconds, summary, result.output)
  if (summary === null) return { checks: [{ name: FAILED_UNITS, seconds: result.seconds }], failedUnits: [] }
  throw up.failure(
    {
      id: 'failed-units',
      summary: `${FAILED_UNITS}: ${inert(summary)}`,
      advice:
        'What the units themselves say is below. Mend them in the Dockerfile, or disable there what the machine does not need: systemctl disable, or mask.'
    },
    { what: 'What the machine said', lines: result.lastLines }
  )
}

const PERSISTENCE = 'check-persistence'

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
export async function writeAndShutDown(examination: Examination): Promise<void> {
  const { up, pace, scripts } = examination
  if (scripts === null) throw new Error('The machine has no scripts.')
  const { write, shutDown } = scripts.persistence
  const limit = STEP_LIMIT * pace.stretch
  const written = await runInGuest(examination, PERSISTENCE, write, limit)
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
  const down = up.expectShutdown().then(() => true as const)
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<false>(resolve => {
    timer = setTimeout(() => resolve(false), limit * 1000)
  })
  const asked = runInGuest(examination, PERSISTENCE, shutDown, limit)
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
export async function readAgain(examination: Examination, unclean: string | null): Promise<CheckResult> {
  const { up, pace, scripts } = examination
  if (scripts === null) throw new Error('The machine has no scripts.')
  const read = await runInGuest(examination, PERSISTENCE, scripts.persistence.read, STEP_LIMIT * pace.stretch)
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
  // The boots themselves are counted by themselves.
  up.note(PERSISTENCE, read.seconds, null)
  return { name: PERSISTENCE, seconds: read.seconds }
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
