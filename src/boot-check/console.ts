import { StringDecoder } from 'node:string_decoder'
import { stripTerminal } from '../text.ts'

/** Longest line kept; what a guest prints beyond it on one line is dropped. */
const LONGEST_LINE = 4096

/**
 * Turns the bytes of a serial console into lines as a person would see them: without escape sequences, with carriage
 * returns carried out, whatever the chunks are.
 */
export class ConsoleLines {
  readonly #decoder = new StringDecoder('utf8')
  #pending = ''

  /** @returns the lines that the chunk completes */
  write(chunk: Buffer): string[] {
    const [first = '', ...rest] = this.#decoder.write(chunk).split('\n')
    this.#append(first)
    const lines: string[] = []
    for (const part of rest) {
      lines.push(this.partial)
      this.#pending = ''
      this.#append(part)
    }
    return lines
  }

  /** The line that has no newline yet: where a prompt stands. */
  get partial(): string {
    const visible = this.#pending.replace(/\r+$/, '')
    return stripTerminal(visible.slice(visible.lastIndexOf('\r') + 1))
  }

  #append(text: string): void {
    if (this.#pending.length < LONGEST_LINE) this.#pending = (this.#pending + text).slice(0, LONGEST_LINE)
  }
}
