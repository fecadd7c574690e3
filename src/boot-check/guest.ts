import { createConnection, type Socket } from 'node:net'
import * as core from '@actions/core'
import { inert } from '../text.ts'
import { GuestReader } from './guest-tests.ts'

/** How a script in the machine ended. */
export type ScriptResult = Readonly<{
  /** Null if it did not end in time. */
  exitCode: number | null
  began: boolean
  /** Seconds that it took. */
  seconds: number
  /** Seconds that it might have taken, to begin or to end. */
  limit: number
  /** The end of what it printed. */
  output: string
  lastLines: readonly string[]
}>

/** Milliseconds between tries to reach QEMU's socket, and between tries to reach the watcher behind it. */
const RETRY = 50
const ASK_AGAIN = 1000

/** Seconds within which a script has to begin. */
const BEGIN_LIMIT = 90

/** What is kept of a script's output: characters in all, and lines for the message of a failure. */
const KEPT_OUTPUT = 1 << 16
const QUOTED = 16

/** The scripts in the machine, started and heard through its second serial port. */
export class Guest {
  #socket: Socket | null = null
  #closed = false
  readonly #reader: GuestReader
  #onData: (chunk: Buffer) => void = () => {}

  /** @param path of the socket that QEMU makes */
  constructor(
    private readonly path: string,
    private readonly token: string
  ) {
    this.#reader = new GuestReader(token)
    this.#connect()
  }

  /**
   * Runs a script and shows what it prints.
   * @param limit seconds that it may take
   */
  run(number: number, limit: number): Promise<ScriptResult> {
    const asked = performance.now()
    let begin: number | null = null
    let output = ''
    const lastLines: string[] = []
    return new Promise(resolve => {
      const finish = (exitCode: number | null): void => {
        clearInterval(asking)
        this.#onData = () => {}
        resolve({
          exitCode,
          began: begin !== null,
          seconds: begin === null ? 0 : (performance.now() - begin) / 1000,
          limit: begin === null ? BEGIN_LIMIT : limit,
          output,
          lastLines
        })
      }
      // What comes before the watcher has opened its port is lost.
      const ask = (): void => {
        const [from, most] = begin === null ? [asked, BEGIN_LIMIT] : [begin, limit]
        if (this.#closed || performance.now() - from > most * 1000) finish(null)
        else if (begin === null) this.#socket?.write(`${this.token} ${number}\n`)
      }
      const asking = setInterval(ask, ASK_AGAIN)
      this.#onData = chunk => {
        for (const event of this.#reader.write(chunk)) {
          if (event.kind === 'begin' && event.number === number) begin = performance.now()
          else if (event.kind === 'end' && event.number === number) finish(event.exitCode)
          else if (event.kind === 'line') {
            core.info(`test │ ${inert(event.text)}`)
            output = `${output}${event.text}\n`.slice(-KEPT_OUTPUT)
            lastLines.push(event.text)
            if (lastLines.length > QUOTED) lastLines.shift()
          }
        }
      }
      ask()
    })
  }

  close(): void {
    this.#closed = true
    this.#socket?.destroy()
  }

  #connect(): void {
    if (this.#closed) return
    const socket = createConnection(this.path)
    socket.on('connect', () => {
      this.#socket = socket
    })
    socket.on('error', () => setTimeout(() => this.#connect(), RETRY).unref())
    socket.on('data', chunk => this.#onData(chunk))
  }
}
