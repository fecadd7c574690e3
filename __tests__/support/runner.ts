import { execFile, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import {
  chmod,
  copyFile,
  cp,
  link,
  mkdir,
  mkdtemp,
  readFile,
  realpath,
  rm,
  writeFile
} from 'node:fs/promises'
import { constants, tmpdir, userInfo } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { parse } from 'yaml'
import type { ResultsService } from './results-service.ts'
import { type Annotation, parseFileCommand, RunnerLog } from './runner-log.ts'

export { leftovers } from './leftovers.ts'
export type { Annotation }

export const REPOSITORY = resolve(import.meta.dirname, '../..')

/** Unprivileged user with passwordless sudo that the action runs as where the tests run as root. */
const USER = 'runner'
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

export type RunOptions = Readonly<{
  inputs?: Readonly<Record<string, string>>
  env?: Readonly<Record<string, string>>
  /** Folder to copy into a fresh workspace, as a checkout would. */
  checkout?: string
  /** Folder to use as the workspace where it lies; `checkout` is ignored. */
  workspace?: string
  results?: ResultsService
  /** Signals for the action's process, counted from the first line of its output that matches. */
  signalAt?: Readonly<{
    when: RegExp
    signals: readonly Readonly<{ signal: NodeJS.Signals; afterMs: number }>[]
  }>
  /** Sees each line of output as the action wrote it. */
  onLine?: (line: string) => void
  /** Copies the log to the standard output. */
  stream?: boolean
  /** Milliseconds after which the action's process is killed; exit code 137. */
  timeoutMs?: number
  path?: string
  post?: boolean
  /**
   * Home of the runner. Runs that share one have the same RUNNER_TEMP, emptied in between, and the same HOME, like jobs on
   * one machine: a cache is found again only under the path it was saved from.
   */
  root?: string
  /** Folder of action.yml and dist/. */
  action?: string
}>

export type Phase = Readonly<{
  exitCode: number
  /** As the runner shows it: commands obeyed, secrets masked. */
  log: string
  rawLog: string
  annotations: readonly Annotation[]
  outputs: Readonly<Record<string, string>>
  state: Readonly<Record<string, string>>
  summary: string
  seconds: number
  peakRssBytes: number
}>

export type RunResult = Phase &
  Readonly<{
    /** Null if it was not wanted. */
    post: Phase | null
    root: string
    temp: string
    workspace: string
    home: string
    inputs: Readonly<Record<string, string>>
  }>

type Manifest = { inputs: Record<string, { default?: string }>; runs: { main: string; post?: string } }
type Environment = Record<string, string>
type Machine = { root: string; temp: string; home: string; workspace: string; node: string; action: string }

/** Runs the action's main and post steps as a runner does. */
export async function runAction(options: RunOptions = {}): Promise<RunResult> {
  const source = options.action ?? REPOSITORY
  const manifest = parse(await readFile(join(source, 'action.yml'), 'utf8')) as Manifest
  const inputs = inputEnvironment(manifest, options.inputs ?? {})
  const machine = await prepareMachine(source, options)
  const environment = { ...jobEnvironment(machine, options), ...inputs, ...options.env }
  const masks = new Set<string>()
  const main = await runPhase(manifest.runs.main, machine, environment, masks, options)

  const { signalAt: _, ...postOptions } = options
  const states = Object.entries(main.state).map(([name, value]) => [`STATE_${name}`, value])
  const postEnvironment = { ...environment, ...Object.fromEntries(states) }
  const post =
    manifest.runs.post && options.post !== false
      ? await runPhase(manifest.runs.post, machine, postEnvironment, masks, postOptions)
      : null
  const { root, temp, workspace, home } = machine
  return { ...main, post, root, temp, workspace, home, inputs: options.inputs ?? {} }
}

/** Deletes the run's folders; with a shared root, after its last run. */
export const removeRun = ({ root }: Pick<RunResult, 'root'>): Promise<void> =>
  rm(root, { recursive: true, force: true })

/** The repository may lie where the runner's user cannot read: everything it needs goes into the root folder. */
async function prepareMachine(source: string, options: RunOptions): Promise<Machine> {
  const root = options.root ?? (await mkdtemp(join(tmpdir(), 'runner-')))
  const machine = {
    root,
    temp: join(root, 'work', '_temp'),
    home: join(root, 'home'),
    workspace: options.workspace ? resolve(options.workspace) : join(root, 'work', 'disks', 'disks'),
    node: join(root, 'node24'),
    action: join(root, 'work', '_actions', 'docker-to-disk')
  }
  const fresh = [machine.temp, machine.action, ...(options.workspace ? [] : [machine.workspace])]
  for (const folder of fresh) await rm(folder, { recursive: true, force: true })
  for (const folder of [...fresh, machine.home]) await mkdir(folder, { recursive: true })

  await cp(join(source, 'dist'), join(machine.action, 'dist'), { recursive: true })
  const node = await realpath(join(REPOSITORY, 'node_modules/.bin/node'))
  await rm(machine.node, { force: true })
  await link(node, machine.node).catch(() => copyFile(node, machine.node))
  if (options.checkout && !options.workspace)
    await promisify(execFile)('cp', ['-a', `${resolve(options.checkout)}/.`, machine.workspace])
  await chmod(root, 0o755)
  if (isRoot) await promisify(execFile)('chown', ['-R', `${USER}:`, join(root, 'work'), machine.home])
  return machine
}

const isRoot = process.getuid?.() === 0

function jobEnvironment(machine: Machine, { results, path }: RunOptions): Environment {
  return {
    CI: 'true',
    GITHUB_ACTION: '__octo_docker-to-disk',
    GITHUB_ACTIONS: 'true',
    GITHUB_API_URL: 'https://api.github.com',
    GITHUB_EVENT_NAME: 'push',
    GITHUB_JOB: 'build',
    GITHUB_REF: 'refs/heads/main',
    GITHUB_REPOSITORY: 'octo/disks',
    GITHUB_REPOSITORY_OWNER: 'octo',
    GITHUB_RUN_ATTEMPT: '1',
    GITHUB_RUN_ID: '1234567890',
    GITHUB_RUN_NUMBER: '1',
    GITHUB_SERVER_URL: 'https://github.com',
    GITHUB_SHA: '0'.repeat(40),
    GITHUB_WORKFLOW: 'build',
    GITHUB_WORKSPACE: machine.workspace,
    HOME: machine.home,
    LANG: 'C.UTF-8',
    PATH: path ?? PATH,
    RUNNER_ARCH: process.arch.toUpperCase(),
    RUNNER_ENVIRONMENT: 'self-hosted',
    RUNNER_NAME: 'emulated',
    RUNNER_OS: 'Linux',
    RUNNER_TEMP: machine.temp,
    RUNNER_TOOL_CACHE: join(machine.root, 'work', '_tool'),
    USER: isRoot ? USER : userInfo().username,
    ...(results && {
      ACTIONS_CACHE_SERVICE_V2: 'true',
      ACTIONS_RESULTS_URL: results.url,
      ACTIONS_RUNTIME_TOKEN: results.token
    })
  }
}

/** Each declared input has a variable, an empty one if it has neither value nor default. */
function inputEnvironment(manifest: Manifest, given: Readonly<Record<string, string>>): Environment {
  const undeclared = Object.keys(given).filter(name => !(name in manifest.inputs))
  if (undeclared.length > 0) throw new Error(`action.yml has no input ${undeclared.join(', ')}.`)
  const variables = Object.entries(manifest.inputs).map(([name, input]) => [
    `INPUT_${name.replaceAll(' ', '_').toUpperCase()}`,
    given[name] ?? String(input.default ?? '')
  ])
  return Object.fromEntries(variables)
}

async function runPhase(
  entry: string,
  machine: Machine,
  environment: Environment,
  masks: Set<string>,
  options: RunOptions
): Promise<Phase> {
  const files = await fileCommands(machine)
  const log = new RunnerLog(masks)
  const logFile = createWriteStream(join(machine.root, 'runner.log'), { flags: 'a' })
  const asUser = isRoot ? ['setpriv', `--reuid=${USER}`, `--regid=${USER}`, '--init-groups', '--'] : []
  const [program = '', ...args] = [...asUser, machine.node, join(machine.action, entry)]
  const started = performance.now()
  // setpriv replaces itself with Node, so that this is Node's process.
  const child = spawn(program, args, {
    cwd: machine.workspace,
    env: { ...environment, ...files.environment },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  const exited = new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? 'SIGKILL']))
  })
  const closed = new Promise(resolve => child.once('close', resolve))

  const timers = options.timeoutMs ? [setTimeout(() => child.kill('SIGKILL'), options.timeoutMs)] : []
  let pending = options.signalAt
  const onLine = (line: string): void => {
    const shown = log.add(line)
    if (shown !== undefined) {
      logFile.write(`${shown}\n`)
      if (options.stream) process.stdout.write(`${shown}\n`)
    }
    options.onLine?.(line)
    if (!pending?.when.test(line)) return
    for (const { signal, afterMs } of pending.signals)
      timers.push(setTimeout(() => child.kill(signal), afterMs))
    pending = undefined
  }
  for (const input of [child.stdout, child.stderr]) createInterface({ input }).on('line', onLine)

  let peakRssBytes = 0
  const sampler = setInterval(async () => {
    const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '')
    peakRssBytes = Math.max(peakRssBytes, Number(/^VmHWM:\s*(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024)
  }, 100)
  try {
    const exitCode = await exited
    const seconds = (performance.now() - started) / 1000
    // A process left behind may hold the pipes open for ever.
    await Promise.race([closed, delay(2000, undefined, { ref: false })])
    const { summary, ...written } = await files.read()
    const { shown, raw, annotations } = log
    const outputs = { ...written.outputs, ...log.outputs }
    const state = { ...written.state, ...log.state }
    return { exitCode, log: shown, rawLog: raw, annotations, outputs, state, summary, seconds, peakRssBytes }
  } finally {
    clearInterval(sampler)
    for (const timer of timers) clearTimeout(timer)
    for (const pipe of [child.stdout, child.stderr]) pipe.destroy()
    logFile.end()
  }
}

/** The files through which a step talks to the runner, where the real one has them. */
async function fileCommands({ temp }: Machine) {
  const folder = join(temp, '_runner_file_commands')
  await mkdir(folder, { recursive: true })
  const environment: Environment = {}
  for (const name of ['OUTPUT', 'STATE', 'ENV', 'PATH', 'STEP_SUMMARY']) {
    const file = join(folder, `${name.toLowerCase()}_${randomUUID()}`)
    await writeFile(file, '')
    if (isRoot) await promisify(execFile)('chown', [`${USER}:`, file])
    environment[`GITHUB_${name}`] = file
  }
  const content = (name: string) => readFile(environment[`GITHUB_${name}`] ?? '', 'utf8')
  return {
    environment,
    read: async () => ({
      outputs: parseFileCommand(await content('OUTPUT')),
      state: parseFileCommand(await content('STATE')),
      summary: await content('STEP_SUMMARY')
    })
  }
}
