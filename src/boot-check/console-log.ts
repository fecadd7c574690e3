import { once } from 'node:events'
import { createWriteStream, type WriteStream } from 'node:fs'
import * as core from '@actions/core'
import { formatBytes, inert, MIB } from '../text.ts'

/** What is kept of a console: bytes in the file, and characters in the step's log. */
const FILE_LIMIT = 64 * MIB
const LOG_LIMIT = 4 * MIB

/**
 * Keeps what a machine says: every byte in a file, every line in the step's log. A machine that says the same for ever would fill
 * the disk, and a log that nobody can open: both have an end, and what comes later is only judged.
 */
export class ConsoleLog {
  readonly #file: WriteStream
  #bytes = 0
  #characters = 0

  /** @param path of the file, which is added to */
  constructor(
    path: string,
    private readonly limits = { file: FILE_LIMIT, log: LOG_LIMIT },
    private readonly print: (line: string) => void = core.info
  ) {
    this.#file = createWriteStream(path, { flags: 'a' })
  }

  onError(listener: (error: Error) => void): void {
    this.#file.on('error', listener)
  }

  write(chunk: Buffer): void {
    const room = this.limits.file - this.#bytes
    this.#bytes += chunk.length
    if (room > 0) this.#file.write(chunk.subarray(0, room))
    if (room > 0 && chunk.length >= room)
      this.#file.write(`\n[docker-to-disk: the rest, after ${formatBytes(this.limits.file)}, was not kept]\n`)
  }

  line(text: string): void {
    const isOver = this.#characters >= this.limits.log
    this.#characters += text.length + 1
    if (isOver) return
    this.print(`guest │ ${inert(text)}`)
    if (this.#characters >= this.limits.log)
      this.print(`The console says more than ${formatBytes(this.limits.log)}: the rest is in its own file.`)
  }

  async close(): Promise<void> {
    this.#file.end()
    await once(this.#file, 'close').catch(() => {})
  }
}
