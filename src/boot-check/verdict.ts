import { causeOf, EVENTS, type Reason, reasonOf, type Sign, successOf } from './causes.ts'
import { ConsoleLines, Strands } from './console.ts'
import { type Facts, NO_FACTS, readFacts } from './facts.ts'
import { type Phase, PhaseClock } from './phases.ts'
import { gettyMissing, timeoutReason } from './timeouts.ts'

/** How a boot ended, and what decided. Times are seconds from power-on. */
export type Verdict = Readonly<
  { at: number } & (
    | {
        outcome: 'success'
        /** The line that showed it. */
        line: string
      }
    | { outcome: 'failure'; reason: Reason }
  )
>

/** What QMP and the operating system tell of the machine. */
export type MachineEvent = Readonly<
  | { kind: 'reset' }
  | { kind: 'shutdown' }
  | { kind: 'panicked' }
  /** QEMU is no more. */
  | { kind: 'ended'; reason: Reason }
>

export type JudgeOptions = Readonly<{
  sign: Sign
  /** When time is over; null for never. */
  timeout: Readonly<{ seconds: number; within: string }> | null
  /** Whether the machine was up already when this one began to listen: there is no success to come, and no reset is innocent. */
  isUp?: boolean
}>

/**
 * Seconds in which a failure may still be told better: the console's last lines come by another way than the news that the machine
 * stopped, and a panic's own lines follow its first.
 */
const AFTERMATH = 0.4

/**
 * Seconds that an unfinished line that looks like the sign of success has to stand: the serial port shows the halves of lines too. A
 * line that grows all the time has to look like it for the longer time.
 */
const STANDING = { silent: 0.3, growing: 0.9 }

/** Resets at which a machine has failed. A system may reboot once to finish its own set-up. */
const RESETS = 2

/** Seconds in which further resets are the same, unless the firmware has spoken: it resets the machine once more by itself. */
const RESET_ECHO = 2

/** Seconds that a getty may take once init says that the system is up, and the console is silent. */
const GETTY_GRACE = 30

/** Lines that a failure's message quotes: up to the one that decided, and after it. */
const QUOTED_BEFORE = 16
const QUOTED_AFTER = 4

/** Pieces of a chunk that end where its lines end. */
function splitAfterNewlines(chunk: Buffer): Buffer[] {
  const pieces: Buffer[] = []
  let from = 0
  for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
    pieces.push(chunk.subarray(from, end + 1))
    from = end + 1
  }
  return from < chunk.length ? [...pieces, chunk.subarray(from)] : pieces
}

/** A failure that stands unless the aftermath tells better. */
type Pending = Readonly<{
  at: number
  due: number
  /** In its best words so far. */
  reason: () => Reason
}>

/** An unfinished line that looks like the sign of success, since when and until when it has to. */
type Standing = Readonly<{ line: string; since: number; due: number }>

/**
 * Judges a boot: the serial console's bytes and the machine's events in, one verdict out. Pure: it has no clock of its own, and the
 * same events at the same times give the same verdict.
 */
export class Judge {
  readonly #lines = new ConsoleLines()
  readonly #strands = new Strands()
  readonly #recent: string[] = []
  readonly #after: string[] = []
  #facts: Facts = NO_FACTS
  #clock = new PhaseClock()
  #resets = 0
  #lastReset = Number.NEGATIVE_INFINITY
  /** Since the last reset. */
  #hasFirmwareSpoken = false
  #lastSound = 0
  #lastLine: string | null = null
  #upSince: number | null = null
  #pending: Pending | null = null
  #standing: Standing | null = null
  /** Whether a line of the console has decided. */
  #isTold = false
  #verdict: Verdict | null = null

  constructor(private readonly options: JudgeOptions) {}

  /**
   * @param at seconds since power-on
   * @returns the lines that the chunk completes, as a person would see them
   */
  hear(chunk: Buffer, at: number): string[] {
    this.tick(at)
    this.#lastSound = at
    return splitAfterNewlines(chunk).flatMap(piece => this.#hearLine(piece, at))
  }

  /** @param at seconds since power-on */
  notice(event: MachineEvent, at: number): void {
    this.tick(at)
    if (this.#verdict !== null) return
    const isUp = this.options.isUp ?? false
    if (event.kind === 'ended') this.#suspect(event.reason, at)
    else if (event.kind === 'shutdown') this.#suspect(EVENTS[isUp ? 'shutdown-later' : 'shutdown'], at)
    else if (event.kind === 'panicked') this.#suspect(EVENTS.panic, at)
    else if (isUp) this.#suspect(EVENTS['reset-later'], at)
    else this.#restart(at)
  }

  /** Has time pass. @param at seconds since power-on */
  tick(at: number): void {
    if (this.#verdict !== null) return
    const due = this.due
    if (due === null || at < due) return
    const { timeout, sign } = this.options
    if (this.#pending !== null) {
      this.#verdict = { at: this.#pending.at, outcome: 'failure', reason: this.#pending.reason() }
    } else if (this.#standing !== null) {
      this.#verdict = { at: this.#standing.since, outcome: 'success', line: this.#standing.line }
    } else if (timeout !== null && due === timeout.seconds) {
      const reason = timeoutReason({
        sign: this.#wanted,
        within: timeout.within,
        phase: this.#clock.current,
        facts: this.#facts,
        lastLine: this.partial.trim() === '' ? this.#lastLine : this.partial
      })
      this.#verdict = { at: due, outcome: 'failure', reason }
    } else if (sign.pattern === null) {
      this.#verdict = { at: due, outcome: 'failure', reason: gettyMissing(this.#wanted, this.#facts) }
    }
  }

  /** When time alone brings the verdict: seconds from power-on; null for never. */
  get due(): number | null {
    if (this.#verdict !== null) return null
    if (this.#pending !== null) return this.#pending.due
    if (this.#standing !== null) return this.#standing.due
    const { timeout, sign } = this.options
    const dues = [
      ...(timeout === null ? [] : [timeout.seconds]),
      ...(this.#upSince === null || sign.pattern !== null
        ? []
        : [Math.max(this.#upSince, this.#lastSound) + GETTY_GRACE])
    ]
    return dues.length === 0 ? null : Math.min(...dues)
  }

  get verdict(): Verdict | null {
    return this.#verdict
  }

  /** The line that has no newline yet. */
  get partial(): string {
    return this.#lines.partial
  }

  /** Whether anything at all has appeared on the console. */
  get spoke(): boolean {
    return this.#recent.length > 0 || this.partial.trim() !== ''
  }

  /** The lines for a person to see: the last before the decision with the one that decided, and the first after it. */
  get quotation(): string[] {
    const end = !this.#isTold && this.partial.trim() !== '' ? [this.partial] : this.#after
    return [...this.#recent, ...end]
  }

  /** The phases of the boot until the verdict. */
  get phases(): readonly Phase[] {
    return this.#clock.phases(this.#verdict?.at ?? this.#lastSound)
  }

  /** Names of units that failed, which need not keep the system from coming up. */
  get failedUnits(): string[] {
    return this.#facts.failedUnits.map(({ name }) => name)
  }

  get #wanted(): string {
    const { pattern } = this.options.sign
    return pattern === null ? 'login prompt' : `line that matches ${pattern}`
  }

  /** @param piece that holds one end of a line at most, at its own end */
  #hearLine(piece: Buffer, at: number): string[] {
    const wasTold = this.#isTold
    const stood = this.#standing
    this.#standing = null
    // A line that the kernel has cut means what it means whole, not what its halves would mean.
    const strands = this.#strands.write(piece)
    for (const line of strands) {
      this.#learn(line, at)
      this.#weigh(line, true, at)
    }
    this.#weigh(this.#strands.partial, false, at, stood)
    const lines = this.#lines.write(piece)
    for (const line of lines) {
      if (strands.length === 0) this.#learn(line, at)
      this.#weigh(line, true, at)
      this.#quote(line, wasTold)
    }
    // A prompt has no newline: it never becomes a line.
    const { partial } = this.#lines
    const isQuoted = this.#isTold && lines.length > 0
    this.#weigh(partial, false, at, stood)
    if (this.#isTold && !wasTold && !isQuoted) this.#quote(partial, false)
    return lines
  }

  #quote(line: string, wasTold: boolean): void {
    if (line.trim() === '') return
    if (!wasTold) {
      this.#recent.push(line)
      if (this.#recent.length > QUOTED_BEFORE) this.#recent.shift()
      // What decided while it was unfinished comes once more when it is finished.
    } else if (line !== this.#recent.at(-1) && this.#after.length < QUOTED_AFTER) this.#after.push(line)
  }

  /** Notes what a finished line tells that is no verdict by itself. */
  #learn(line: string, at: number): void {
    if (this.#verdict !== null || line.trim() === '') return
    this.#lastLine = line
    this.#hasFirmwareSpoken ||= line.startsWith('SeaBIOS')
    this.#facts = readFacts(this.#facts, line)
    this.#clock.hear(line, at)
    if (this.#facts.isUp) this.#upSince ??= at
  }

  /** Says what follows from a line. @param stood what looked like success before the line grew */
  #weigh(line: string, isFinished: boolean, at: number, stood: Standing | null = null): void {
    if (this.#verdict !== null || this.#isTold || line.trim() === '') return
    const success = this.#pending === null ? successOf(line, this.options.sign) : null
    if (success === 'certain' || (success !== null && isFinished)) {
      // Without what the kernel has written behind it, where that was seen.
      this.#verdict = { at, outcome: 'success', line: this.#standing?.line ?? line }
      this.#isTold = true
      return
    }
    if (success !== null) {
      const since = stood?.since ?? at
      this.#standing ??= { line, since, due: Math.min(at + STANDING.silent, since + STANDING.growing) }
    }
    const cause = causeOf(line, this.#facts, isFinished)
    if (cause === null) return
    this.#isTold = true
    // What comes in the aftermath may make it another cause.
    const reason = (): Reason => reasonOf(causeOf(line, this.#facts, isFinished) ?? cause, this.#facts)
    this.#pending = { at, due: at + AFTERMATH, reason }
  }

  /** Something other than the console tells of a failure; the console may still tell why. */
  #suspect(reason: Reason, at: number): void {
    this.#pending ??= { at, due: at + AFTERMATH, reason: () => reason }
  }

  #restart(at: number): void {
    if (!this.#hasFirmwareSpoken && at - this.#lastReset < RESET_ECHO) return
    this.#lastReset = at
    this.#hasFirmwareSpoken = false
    this.#resets++
    if (this.#resets >= RESETS) {
      this.#suspect(EVENTS['reboot-loop'], at)
      return
    }
    this.#facts = NO_FACTS
    this.#clock = new PhaseClock(at)
    this.#upSince = null
    this.#standing = null
  }
}
