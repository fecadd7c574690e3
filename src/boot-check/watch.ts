import { ConsoleLines } from './console.ts'
import { type Cause, judgeLine } from './diagnosis.ts'

/** Lines that a failure's message quotes: up to the one that decided, and after it. */
const QUOTED_BEFORE = 16
const QUOTED_AFTER = 4

/** What a console line decided. */
export type Decision = Readonly<{ line: string; outcome: 'success' | Cause }>

/** Follows a machine's console until a line decides. Pure: bytes in, decision and quotation out. */
export class ConsoleWatch {
  readonly #lines = new ConsoleLines()
  readonly #recent: string[] = []
  readonly #after: string[] = []
  #decision: Decision | null = null

  constructor(private readonly successPattern: RegExp | null) {}

  /** @returns the lines that the chunk completes */
  write(chunk: Buffer): string[] {
    const lines = this.#lines.write(chunk)
    for (const line of lines) this.#see(line, true)
    // A prompt has no newline: it never becomes a line.
    this.#see(this.#lines.partial, false)
    return lines
  }

  /** The line that decided, the first that does. */
  get decision(): Decision | null {
    return this.#decision
  }

  /** The line that has no newline yet. */
  get partial(): string {
    return this.#lines.partial
  }

  /** Whether anything at all has appeared. */
  get spoke(): boolean {
    return this.#recent.length > 0 || this.partial.trim() !== ''
  }

  /** The lines for a person to see: the last before the decision with the one that decided, and the first after it. */
  get quotation(): string[] {
    const after = this.#decision === null && this.partial.trim() !== '' ? [this.partial] : this.#after
    return [...this.#recent, ...after]
  }

  #see(line: string, finished: boolean): void {
    if (line.trim() === '') return
    if (this.#decision !== null) {
      // The line that decided while it was unfinished comes once more when it is finished.
      if (finished && line !== this.#recent.at(-1) && this.#after.length < QUOTED_AFTER)
        this.#after.push(line)
      return
    }
    const outcome = judgeLine(line, this.successPattern, finished)
    if (outcome !== null) this.#decision = { line, outcome }
    if (outcome === null && !finished) return
    this.#recent.push(line)
    if (this.#recent.length > QUOTED_BEFORE) this.#recent.shift()
  }
}
