import { createConnection, type Socket } from 'node:net'
import { createInterface } from 'node:readline'

/** Milliseconds between tries to reach QEMU's socket, which appears a moment after QEMU's start. */
const RETRY = 50

/** Milliseconds that QEMU may take to carry out a command. */
const PATIENCE = 10_000

type Message = Readonly<{
  event?: string
  data?: Readonly<Record<string, unknown>>
  id?: number
  return?: unknown
  error?: Readonly<{ desc?: string }>
}>

/** Talks with QEMU's monitor (QMP): what becomes of the machine, and commands to QEMU. */
export class Monitor {
  #socket: Socket | null = null
  /** Called with every event of QMP as it comes, such as `RESET`, and its data. */
  onEvent: (name: string, data: Readonly<Record<string, unknown>>) => void = () => {}
  #closed = false
  #finished: () => void = () => {}
  readonly #ended = new Promise<void>(resolve => {
    this.#finished = resolve
  })
  #connected: () => void = () => {}
  readonly #ready = new Promise<void>(resolve => {
    this.#connected = resolve
  })
  readonly #pending = new Map<number, (message: Message) => void>()
  #lastId = 0

  /** @param path of the socket that QEMU makes */
  constructor(private readonly path: string) {
    this.#connect()
  }

  /**
   * Has QEMU carry out a command.
   * @returns what the command returns
   * @throws Error with QEMU's words if it refuses, or if it does not answer
   */
  async execute(command: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    const id = ++this.#lastId
    const answered = this.#ready.then(
      () =>
        new Promise<Message>(resolve => {
          this.#pending.set(id, resolve)
          this.#socket?.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`)
        })
    )
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<Message>(resolve => {
      timer = setTimeout(() => resolve({ error: { desc: 'QEMU does not answer' } }), PATIENCE)
    })
    const ended = this.#ended.then(() => ({ error: { desc: 'QEMU has ended' } }))
    const message: Message = await Promise.race([answered, late, ended])
    clearTimeout(timer)
    this.#pending.delete(id)
    if (message.error) throw new Error(`${command}: ${message.error.desc ?? 'QEMU refuses'}`)
    return message.return
  }

  /** Ends the talk; commands under way and later ones fail. */
  close(): void {
    this.#closed = true
    this.#finished()
    this.#socket?.destroy()
  }

  #connect(): void {
    if (this.#closed) return
    const socket = createConnection(this.path)
    this.#socket = socket
    socket.on('connect', () => {
      // Events and commands come only after the capabilities were negotiated.
      socket.write('{"execute":"qmp_capabilities"}\n')
      this.#connected()
      // What happened before is told by no event.
      this.execute('query-status').then(
        answer => {
          if ((answer as { status?: string }).status === 'shutdown')
            this.onEvent('SHUTDOWN', { guest: true, reason: 'guest-shutdown' })
        },
        () => {}
      )
    })
    socket.on('error', () => setTimeout(() => this.#connect(), RETRY).unref())
    socket.on('close', hadError => {
      if (!hadError) this.#finished()
    })
    const lines = createInterface({ input: socket })
    lines.on('error', () => {}) // the socket's own, handled above
    lines.on('line', line => this.#hear(line))
  }

  #hear(line: string): void {
    let message: Message
    try {
      message = JSON.parse(line)
    } catch {
      return // no line of the protocol
    }
    if (message.event !== undefined) this.onEvent(message.event, message.data ?? {})
    if (message.id !== undefined) this.#pending.get(message.id)?.(message)
  }
}
