import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { messageOf } from './errors.ts'
import { type Host, RUN_VARIABLE } from './host.ts'

/**
 * Something taken from the machine, as data: enough for another process to give it back after this one was killed.
 * A loop device is known by its backing file, since its number is not known before it is taken.
 */
export type Resource =
  | Readonly<{ kind: 'container'; name: string }>
  /** A name of an image; the image itself stays in Docker's cache of builds. */
  | Readonly<{ kind: 'image-name'; name: string }>
  | Readonly<{ kind: 'mount'; target: string }>
  | Readonly<{ kind: 'loop'; file: string }>
  | Readonly<{ kind: 'folder'; path: string }>
  /** A folder made for results: it goes only if there are none. */
  | Readonly<{ kind: 'empty-folder'; path: string }>
  | Readonly<{ kind: 'mode'; path: string; mode: string }>

type Journal = Readonly<{ owner: ProcessIdentity; resources: readonly Resource[] }>

/** A process id alone can be another process later; with the boot and the start time it cannot. */
type ProcessIdentity = Readonly<{ pid: number; startTime: string; boot: string }>

const RETRIES = 8
const LATE_CONTAINER_CHECKS = 6

/** Folder in which every run of this user keeps its journal. */
const journalFolder = (): string =>
  join(process.env.XDG_STATE_HOME || join(homedir(), '.local', 'state'), 'docker-to-disk')

/**
 * What a run holds of the machine, newest last.
 *
 * Each resource is in the journal file before it is taken and leaves it after it was given back, so that whoever finds the
 * journal of a dead run can finish the work. Releasing is idempotent: a resource that was never really taken is fine.
 */
export class Undo {
  #resources: Resource[]

  private constructor(
    readonly runId: string,
    private readonly host: Host,
    resources: readonly Resource[]
  ) {
    this.#resources = [...resources]
  }

  /** Begins the journal of a new run of this process. */
  static begin(host: Host): Undo {
    const undo = new Undo(randomBytes(6).toString('hex'), host, [])
    mkdirSync(journalFolder(), { recursive: true, mode: 0o700 })
    undo.#write()
    host.mark(undo.runId)
    return undo
  }

  /** The journal that the run left, or null if it gave everything back. */
  static resume(runId: string, host: Host): Undo | null {
    const journal = readJournal(runId)
    return journal && new Undo(runId, host, journal.resources)
  }

  /** Journals of runs on this machine whose process is gone. */
  static abandoned(host: Host): Undo[] {
    let names: string[]
    try {
      names = readdirSync(journalFolder())
    } catch {
      return []
    }
    return names
      .filter(name => name.endsWith('.json'))
      .map(name => name.slice(0, -'.json'.length))
      .filter(runId => {
        const owner = readJournal(runId)?.owner
        return owner !== undefined && identify(owner.pid)?.startTime !== owner.startTime
      })
      .map(runId => Undo.resume(runId, host))
      .filter(undo => undo !== null)
  }

  /** Notes a resource that is about to be taken. */
  register(resource: Resource): void {
    this.#resources.push(resource)
    this.#write()
  }

  /** Gives one resource back and forgets it. Throws if that fails; it is then still registered. */
  async release(resource: Resource): Promise<void> {
    await release(this.host, resource)
    this.#resources = this.#resources.filter(other => other !== resource)
    try {
      this.#write()
    } catch {
      // A full disk must not stop the undoing; what the journal names too much is released once more, which does no harm.
    }
  }

  /**
   * Gives everything back, newest first, whatever fails on the way.
   * @returns a sentence for each resource that could not be given back; these stay in the journal
   */
  async releaseAll(): Promise<string[]> {
    const problems: string[] = []
    await endProcesses(this.host, this.runId)
    for (const resource of this.#resources.toReversed()) {
      try {
        await this.release(resource)
      } catch (error) {
        problems.push(`${describe(resource)} could not be released: ${messageOf(error)}`)
      }
    }
    if (problems.length === 0) {
      for (const path of [`${journalPath(this.runId)}.new`, journalPath(this.runId)])
        rmSync(path, { force: true })
    }
    return problems
  }

  #write(): void {
    const owner = identify(process.pid)
    if (!owner) return
    const path = journalPath(this.runId)
    writeFileSync(`${path}.new`, JSON.stringify({ owner, resources: this.#resources } satisfies Journal), {
      mode: 0o600
    })
    renameSync(`${path}.new`, path)
  }
}

const journalPath = (runId: string): string => join(journalFolder(), `${runId}.json`)

function readJournal(runId: string): Journal | null {
  // The id comes from a file name or from the step's state: nothing but an id of ours may become part of a path.
  if (!/^[0-9a-f]{12}$/.test(runId)) return null
  try {
    return JSON.parse(readFileSync(journalPath(runId), 'utf8')) as Journal
  } catch {
    return null
  }
}

function identify(pid: number): ProcessIdentity | null {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    // The command's name, in parentheses, may hold spaces: count the fields after it (proc_pid_stat(5): starttime is 22).
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').pop()?.split(' ')
    // Dead, and only not yet reaped by its parent, which in a container may never do so.
    if (fields?.[0] === 'Z') return null
    return { pid, startTime: `${boot}/${fields?.[19]}`, boot }
  } catch {
    return null
  }
}

function describe(resource: Resource): string {
  switch (resource.kind) {
    case 'container':
      return `container ${resource.name}`
    case 'image-name':
      return `image name ${resource.name}`
    case 'mount':
      return `mount ${resource.target}`
    case 'loop':
      return `loop device of ${resource.file}`
    case 'folder':
    case 'empty-folder':
      return `folder ${resource.path}`
    case 'mode':
      return `mode of ${resource.path}`
  }
}

async function release(host: Host, resource: Resource): Promise<void> {
  const options = { evenIfCancelled: true, timeout: 60_000 }
  switch (resource.kind) {
    case 'container':
      // The engine finishes what an interrupted client asked for: a container may appear after it was first looked for.
      for (let attempt = 1; attempt <= LATE_CONTAINER_CHECKS; attempt++) {
        if (await retry(() => removeContainer(host, resource.name))) return
        await delay(250)
      }
      return
    case 'image-name':
      await retry(async () => {
        const argv = ['docker', 'rmi', '--no-prune', resource.name]
        const removed = await host.run(argv, { ...options, allowFailure: true })
        if (removed.exitCode !== 0 && !/No such image/i.test(removed.stderr))
          throw new Error(removed.stderr.trim())
      })
      return
    case 'mount':
      await retry(async () => {
        if (mountedBelow(resource.target).length === 0) return
        await host.runAsRoot(['umount', resource.target], options)
      })
      return
    case 'loop':
      await retry(async () => {
        // losetup may lie in an sbin folder that is not on an ordinary user's PATH; the host's PATH has it.
        const listed = await host.runAsRoot(
          ['losetup', '--associated', resource.file, '--noheadings', '--output', 'NAME'],
          options
        )
        for (const device of listed.stdout.split('\n').filter(Boolean)) {
          await host.runAsRoot(['losetup', '--detach', device.trim()], options)
        }
      })
      return
    case 'folder': {
      // Deleting below a mount would delete what is mounted.
      const mounts = mountedBelow(resource.path)
      if (mounts.length > 0) throw new Error(`${mounts.join(', ')} is still mounted`)
      rmSync(resource.path, { recursive: true, force: true })
      return
    }
    case 'empty-folder':
      try {
        rmdirSync(resource.path)
      } catch (error) {
        if (!['ENOTEMPTY', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
      }
      return
    case 'mode':
      await host.runAsRoot(['chmod', resource.mode, resource.path], options)
  }
}

/** @returns whether there was such a container */
async function removeContainer(host: Host, name: string): Promise<boolean> {
  const removed = await host.run(['docker', 'rm', '--force', '--volumes', name], {
    evenIfCancelled: true,
    timeout: 60_000,
    allowFailure: true
  })
  if (/No such container/i.test(removed.stderr)) return false
  if (removed.exitCode !== 0) throw new Error(removed.stderr.trim())
  return true
}

/** Mount points at the path or below it, deepest first. */
export function mountedBelow(path: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map(line =>
      line
        .split(' ')[4]
        ?.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)))
    )
    .filter(target => target !== undefined && (target === path || target.startsWith(`${path}/`)))
    .map(target => target as string)
    .reverse()
}

async function retry<T>(action: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await action()
    } catch (error) {
      if (attempt === RETRIES) throw error
      await delay(100 * attempt)
    }
  }
}

/**
 * Ends what a dead run left running. Every child of a run has the run's id in its environment or, where sudo drops that, in its
 * arguments (work folder, container, machine name), so the process table is enough to find them.
 */
async function endProcesses(host: Host, runId: string): Promise<void> {
  for (const signal of ['TERM', 'KILL']) {
    const pids = processesNaming(runId)
    if (pids.length === 0) return
    await host.runAsRoot(['kill', `-${signal}`, '--', ...pids], { allowFailure: true, evenIfCancelled: true })
    const deadline = Date.now() + 3000
    while (processesNaming(runId).length > 0 && Date.now() < deadline) {
      await delay(50)
    }
  }
}

function processesNaming(runId: string): string[] {
  const variable = `${RUN_VARIABLE}=${runId}\0`
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter(pid => {
      try {
        if (readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(runId)) return true
        return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(variable)
      } catch {
        return false // ended meanwhile, or another user's
      }
    })
}
