import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { accessSync, constants, statSync } from 'node:fs'
import { userInfo } from 'node:os'
import { delimiter, join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import * as core from '@actions/core'
import { ActionError } from './errors.ts'
import { inert, quoteArgv } from './text.ts'

/** What a finished command left. `stdout` and `stderr` hold at most the last {@link KEPT_OUTPUT} characters. */
export type CommandResult = Readonly<{ exitCode: number; stdout: string; stderr: string }>

export type CommandOptions = Readonly<{
  /** What the standard input holds; without it the input is empty. */
  input?: string | Buffer
  /** Variables to add to the environment; for a root command they go through `env`, since sudo drops the rest. */
  env?: Readonly<Record<string, string>>
  cwd?: string
  /** Milliseconds after which the command and its children are ended and the call fails. */
  timeout?: number
  /** Sees each line of both outputs as it comes, without its newline. */
  onLine?: (line: string) => void
  /** Return a result of any exit code instead of throwing. */
  allowFailure?: boolean
  /** Run although the run has been cancelled: for what undoes it. */
  evenIfCancelled?: boolean
}>

/** A command that runs. */
export interface Running {
  readonly pid: number
  readonly stdin: Writable | null
  readonly stdout: Readable | null
  readonly stderr: Readable | null
  /** Settles when the process has ended and its outputs are closed; never rejects. */
  readonly ended: Promise<{ exitCode: number; signal: NodeJS.Signals | null; error?: Error }>
  /** Ends the process and its group: TERM, then KILL after `graceMs` milliseconds. Resolves when it has ended. */
  end(graceMs?: number): Promise<void>
}

/** Characters of each output kept for results and messages: a foreign program's output must not fill our memory. */
const KEPT_OUTPUT = 1 << 20

/** Variable by which a run's processes are found that name nothing of it in their arguments. */
export const RUN_VARIABLE = 'DOCKER_TO_DISK_RUN'

const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

/** A command that failed; the message names the program, how it ended and its last words. */
export class CommandError extends ActionError {
  constructor(
    readonly argv: readonly string[],
    readonly result: CommandResult,
    how: string
  ) {
    const words = result.stderr.trim() || result.stdout.trim()
    const lines = words.split('\n').slice(-12).map(inert).join('\n')
    super(`${argv[0]} ${how}${lines ? `:\n${lines}` : ' and said nothing.'}`)
  }
}

/**
 * The one door to the machine. Every command is an argv array; no shell sees it.
 */
export class Host {
  readonly isRoot = process.getuid?.() === 0
  readonly user = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, name: userInfo().username }
  readonly #rootPrograms = new Set<string>()
  readonly #searchPath: string[]
  readonly #env: NodeJS.ProcessEnv

  /** @param cancelled aborted when the run is to end: every command under way is ended and no other starts */
  constructor(
    readonly cancelled: AbortSignal = new AbortController().signal,
    env: NodeJS.ProcessEnv = process.env
  ) {
    // A runner's PATH need not hold the sbin folders in which Debian keeps mkfs and sfdisk.
    const own = (env.PATH ?? '').split(delimiter).filter(folder => folder.startsWith('/'))
    this.#searchPath = [...new Set([...own, ...SYSTEM_FOLDERS])]
    // The inputs, a password and secrets among them, are no business of the programs that are run.
    const rest = Object.entries(env).filter(([name]) => !name.startsWith('INPUT_'))
    this.#env = { ...Object.fromEntries(rest), PATH: this.#searchPath.join(delimiter), LC_ALL: 'C.UTF-8' }
  }

  /** Marks every command started from now on with the run's id, so that {@link Undo} finds what a killed run left running. */
  mark(runId: string): void {
    this.#env[RUN_VARIABLE] = runId
  }

  /** Id of the run that commands are marked with; null if there is none. */
  get runId(): string | null {
    return this.#env[RUN_VARIABLE] ?? null
  }

  /** Names of the programs that were run as root so far, sorted. */
  get rootPrograms(): string[] {
    return [...this.#rootPrograms].sort()
  }

  /** Absolute path of a program, or null. */
  which(program: string): string | null {
    for (const folder of this.#searchPath) {
      const path = join(folder, program)
      try {
        accessSync(path, constants.X_OK)
        if (statSync(path).isFile()) return path
      } catch {
        // not here
      }
    }
    return null
  }

  /** Runs a command as the current user. Throws {@link CommandError} on a non-zero exit, unless `allowFailure`. */
  run(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return this.#collect(argv, argv, options)
  }

  /** Runs a command as root, through passwordless sudo unless the current user is root. */
  runAsRoot(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    const { env, ...rest } = options
    core.debug(`as root: ${quoteArgv(argv)}`)
    return this.#collect(argv, this.#asRoot(argv, env), rest)
  }

  /** Starts a command whose streams the caller handles. */
  start(argv: readonly string[], options: SpawnOptions = {}): Running {
    return this.#spawn(argv, options)
  }

  /** As {@link start}, as root. */
  startAsRoot(argv: readonly string[], options: SpawnOptions = {}): Running {
    core.debug(`as root: ${quoteArgv(argv)}`)
    return this.#spawn(this.#asRoot(argv), options)
  }

  /**
   * Runs `source | sink` with the pipe between the two processes themselves: no byte passes through this one.
   * @param limit milliseconds for both together
   */
  async pipe(source: PipeEnd, sink: PipeEnd, limit: number): Promise<void> {
    const begin = (end: PipeEnd, options: SpawnOptions): Running =>
      end.asRoot ? this.startAsRoot(end.argv, options) : this.start(end.argv, options)
    const from = begin(source, { stdio: ['ignore', 'pipe', 'pipe'] })
    const to = begin(sink, { stdio: [from.stdout, 'ignore', 'pipe'] })
    // Both children hold their ends now; an open copy here would keep the source from noticing that the sink has died.
    from.stdout?.destroy()
    const [fromWords, toWords] = [new Tail(from.stderr), new Tail(to.stderr)]
    const timer = setTimeout(() => void Promise.all([from.end(), to.end()]), limit)
    const [fromEnd, toEnd] = await Promise.all([from.ended, to.ended])
    clearTimeout(timer)
    this.#throwIfCancelled()
    // The sink first: when it fails, the source only dies of the broken pipe.
    for (const [end, how, words] of [
      [sink, toEnd, toWords],
      [source, fromEnd, fromWords]
    ] as const) {
      if (how.exitCode !== 0) {
        const result = { exitCode: how.exitCode, stdout: '', stderr: words.text }
        throw new CommandError(end.argv, result, describeEnd(how))
      }
    }
  }

  #asRoot(argv: readonly string[], env: Readonly<Record<string, string>> = {}): readonly string[] {
    this.#rootPrograms.add(argv[0] ?? '')
    const assignments = Object.entries(env).map(([name, value]) => `${name}=${value}`)
    const command = assignments.length > 0 ? ['env', ...assignments, ...argv] : argv
    return this.isRoot ? command : ['sudo', '-n', '--', ...command]
  }

  #throwIfCancelled(): void {
    if (this.cancelled.aborted) throw this.cancelled.reason
  }

  async #collect(
    shown: readonly string[],
    argv: readonly string[],
    { input, env, cwd, timeout, onLine, allowFailure, evenIfCancelled }: CommandOptions
  ): Promise<CommandResult> {
    const running = this.#spawn(
      argv,
      {
        stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
        ...(env && { env: { ...this.#env, ...env } }),
        ...(cwd && { cwd })
      },
      evenIfCancelled
    )
    const [stdout, stderr] = [new Tail(running.stdout, onLine), new Tail(running.stderr, onLine)]
    running.stdin?.on('error', () => {}) // a program that does not read its input is no failure
    running.stdin?.end(input)
    let timedOut = false
    const timer =
      timeout &&
      setTimeout(() => {
        timedOut = true
        void running.end()
      }, timeout)
    const ended = await running.ended
    clearTimeout(timer)
    if (!evenIfCancelled) this.#throwIfCancelled()
    const result = { exitCode: ended.exitCode, stdout: stdout.text, stderr: stderr.text }
    if (timedOut) {
      throw new CommandError(shown, result, `did not end within ${Math.round((timeout ?? 0) / 1000)} seconds`)
    }
    if (ended.error) throw new ActionError(`${shown[0]} could not be started: ${ended.error.message}`)
    if (ended.exitCode !== 0 && !allowFailure) throw new CommandError(shown, result, describeEnd(ended))
    return result
  }

  #spawn(argv: readonly string[], options: SpawnOptions, evenIfCancelled = false): Running {
    if (!evenIfCancelled) this.#throwIfCancelled()
    const [program = '', ...args] = argv
    // A group of its own, so that ending the command ends its children too.
    const child = spawn(program, args, { env: this.#env, ...options, detached: true })
    const running = new RunningChild(child, this)
    if (!evenIfCancelled) {
      const cancel = (): void => void running.end()
      this.cancelled.addEventListener('abort', cancel, { once: true })
      void running.ended.then(() => this.cancelled.removeEventListener('abort', cancel))
    }
    return running
  }
}

/** One side of {@link Host.pipe}. */
export type PipeEnd = Readonly<{ argv: readonly string[]; asRoot: boolean }>

const describeEnd = (end: { exitCode: number; signal: NodeJS.Signals | null }): string =>
  end.signal ? `was ended by ${end.signal}` : `failed with exit code ${end.exitCode}`

class RunningChild implements Running {
  readonly pid: number
  readonly stdin: Writable | null
  readonly stdout: Readable | null
  readonly stderr: Readable | null
  readonly ended: Running['ended']
  readonly #host: Host

  constructor(child: ChildProcess, host: Host) {
    this.#host = host
    this.pid = child.pid ?? 0
    this.stdin = child.stdin
    this.stdout = child.stdout
    this.stderr = child.stderr
    this.ended = new Promise(resolve => {
      child.once('error', error => resolve({ exitCode: 127, signal: null, error }))
      child.once('close', (code, signal) => resolve({ exitCode: code ?? 128, signal }))
    })
  }

  async end(graceMs = 3000): Promise<void> {
    if (this.pid === 0) return
    let over = false
    const ended = this.ended.then(() => {
      over = true
    })
    for (const signal of ['TERM', 'KILL'] as const) {
      if (over) return
      await this.#signalGroup(signal)
      await Promise.race([ended, new Promise(resolve => setTimeout(resolve, graceMs).unref())])
    }
  }

  async #signalGroup(signal: 'TERM' | 'KILL'): Promise<void> {
    try {
      process.kill(-this.pid, `SIG${signal}`)
    } catch (error) {
      // A sudo child belongs to root, and only root may signal it.
      if ((error as NodeJS.ErrnoException).code === 'EPERM') {
        await this.#host
          .runAsRoot(['kill', `-${signal}`, '--', `-${this.pid}`], {
            allowFailure: true,
            evenIfCancelled: true
          })
          .catch(() => {})
      }
    }
  }
}

/** The end of a stream's text, with a call for each line on the way. */
class Tail {
  #text = ''
  #line = ''

  constructor(stream: Readable | null, onLine?: (line: string) => void) {
    stream?.setEncoding('utf8')
    stream?.on('error', () => {})
    stream?.on('data', (chunk: string) => {
      this.#text = (this.#text + chunk).slice(-KEPT_OUTPUT)
      if (!onLine) return
      // A progress bar redraws its line with carriage returns: each state is a line of its own.
      const lines = (this.#line + chunk).split(/\r?\n|\r/)
      this.#line = (lines.pop() ?? '').slice(-KEPT_OUTPUT)
      lines.forEach(onLine)
    })
    stream?.on('end', () => {
      if (onLine && this.#line) onLine(this.#line)
    })
  }

  get text(): string {
    return this.#text
  }
}
