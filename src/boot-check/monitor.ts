import { createConnection, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'

/** Milliseconds between tries to reach QEMU's socket, which appears a moment after QEMU's start. */
const RETRY = 50

/** Listens to QEMU's monitor (QMP) for why the machine ends. */
export class Monitor {
  #socket: Socket | null = null
  #reason: string | null = null
  /** Called when the disk of the machine cannot be written for lack of space; QEMU stops the machine then. */
  onDiskFull: () => void = () => {}
  #closed = false
  #finished: () => void = () => {}
  readonly #ended = new Promise<void>(resolve => {
    this.#finished = resolve
  })

  /** @param path of the socket that QEMU makes */
  constructor(private readonly path: string) {
    this.#connect()
  }

  /** Reason of QMP's SHUTDOWN event, such as `guest-reset` or `guest-shutdown`; null if QEMU gave none. */
  async shutdownReason(): Promise<string | null> {
    await Promise.race([this.#ended, delay(500, undefined, { ref: false })])
    return this.#reason
  }

  close(): void {
    this.#closed = true
    this.#socket?.destroy()
  }

  #connect(): void {
    if (this.#closed) return
    const socket = createConnection(this.path)
    this.#socket = socket
    // Events come only after the capabilities were negotiated.
    socket.on('connect', () => socket.write('{"execute":"qmp_capabilities"}\n'))
    socket.on('error', () => setTimeout(() => this.#connect(), RETRY).unref())
    socket.on('close', hadError => {
      if (!hadError) this.#finished()
    })
    const lines = createInterface({ input: socket })
    lines.on('error', () => {}) // the socket's own, handled above
    lines.on('line', line => this.#hear(line))
  }

  #hear(line: string): void {
    try {
      const message = JSON.parse(line)
      if (message.event === 'SHUTDOWN') this.#reason = message.data?.reason ?? null
      if (message.event === 'BLOCK_IO_ERROR' && message.data?.nospace) this.onDiskFull()
    } catch {
      // no line of the protocol
    }
  }
}
