import { StringDecoder } from 'node:string_decoder'
import { stripTerminal } from '../text.ts'

/** Characters of an unfinished line that are kept from its beginning, and as many from its end. */
const KEPT = 4096

/**
 * What begins a new line besides a newline: the screen is cleared, the cursor put into the first column, the terminal reset. Into other
 * columns the firmware puts it within a line.
 */
const LINE_BREAK = /\u001b(?:c|\[[23]J|\[\d*(?:;0*1?)?[Hf])/

/** The line as it stands in the end: what a carriage return went back over is overwritten. */
function visible(raw: string): string {
  const line = raw.replace(/\r+$/, '')
  return stripTerminal(line.slice(line.lastIndexOf('\r') + 1))
}

/** A program may print megabytes without a newline: the beginning says what it is, the end may be a prompt. */
function shorten(raw: string): string {
  if (raw.length <= 2 * KEPT) return raw
  // The last return may be half of a line's end.
  const current = raw.slice(raw.lastIndexOf('\r', raw.length - 2) + 1)
  return current.length <= 2 * KEPT ? current : current.slice(0, KEPT) + current.slice(-KEPT)
}

const isBlank = (line: string): boolean => line.trim() === ''

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
    const parts = [this.#pending + first, ...rest]
    const pieces = (parts.pop() ?? '').split(LINE_BREAK)
    this.#pending = shorten(pieces.pop() ?? '')
    const lines = parts.flatMap(part => {
      const shown = part.split(LINE_BREAK).map(visible)
      return shown.filter((line, i) => i === shown.length - 1 || !isBlank(line))
    })
    return [...lines, ...pieces.map(visible).filter(line => !isBlank(line))]
  }

  /** The line that has no newline yet: where a prompt stands. */
  get partial(): string {
    return visible(this.#pending)
  }
}

/** What the kernel begins its messages with: seconds since its start, and the task where it is built to tell. */
export const KERNEL_STAMP = /\[ {0,6}(\d{1,7}\.\d{6})\](?:\[ *[TC]\d+\])? /

/**
 * Takes apart what kernel and programs write into the same line of a serial console: a program's text comes character by character,
 * and the kernel puts whole messages between any two.
 *
 * It gives only what {@link ConsoleLines} does not have: messages that do not begin a line, and lines that go on behind one. A
 * guess, for a program may end its line with what looks like a message: whoever judges lines looks at both.
 */
export class Strands {
  readonly #decoder = new StringDecoder('utf8')
  #program = ''
  #message: string | null = null
  #wasCut = false

  /** @returns the messages and lines that the chunk completes */
  write(chunk: Buffer): string[] {
    return this.#decoder
      .write(chunk)
      .split(/(?<=\n)/)
      .flatMap(piece => this.#add(piece))
  }

  /** The program's unfinished line, if a message stands in it; else nothing. */
  get partial(): string {
    return this.#wasCut ? visible(this.#program) : ''
  }

  /** @param piece with a newline at its end or none */
  #add(piece: string): string[] {
    const isEnd = piece.endsWith('\n')
    if (this.#message !== null) {
      this.#message = shorten(this.#message + piece)
      if (!isEnd) return []
      const message = visible(this.#message.trimEnd())
      this.#message = null
      return this.#wasCut ? [message] : []
    }
    const text = this.#program + piece
    const stamp = KERNEL_STAMP.exec(text)
    if (stamp !== null) {
      this.#program = text.slice(0, stamp.index)
      this.#wasCut ||= !isBlank(visible(this.#program))
      this.#message = ''
      return this.#add(text.slice(stamp.index))
    }
    if (!isEnd) {
      this.#program = shorten(text)
      return []
    }
    const line = visible(text.trimEnd())
    const wasCut = this.#wasCut
    this.#program = ''
    this.#wasCut = false
    return wasCut ? [line] : []
  }
}
