import { execFile } from 'node:child_process'
import { readdir, readFile, readlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve, sep } from 'node:path'
import { promisify } from 'node:util'
import type { RunResult } from './runner.ts'

const NAME = 'docker-to-disk'
/** Begins the name of whatever a run takes from the machine; the repository itself may well be called NAME. */
const RUN_NAME = `${NAME}-`

/**
 * What is left of a run on this machine, a line each: whatever names its id or its RUNNER_TEMP, and files in the folders where
 * it works. Other runs at the same time are none of its business.
 */
export async function leftovers(result: RunResult): Promise<string[]> {
  const { temp, state } = result
  // A run that took nothing has no id.
  const name = state.run === undefined ? undefined : `${RUN_NAME}${state.run}`
  const ofRun = (text: string) =>
    text.includes(`${temp}${sep}`) || (name !== undefined && text.includes(name))
  const searches = [
    () => loopDevices(ofRun),
    () => mounts(ofRun),
    () => containers(ofRun),
    () => imageNames(state.run),
    // apt and other programs that name no file of the run stand in its workspace.
    () => processes(text => ofRun(text) || text.includes(`(in ${result.root}/`)),
    () => temporaryFiles(result),
    () => workFolders(result, ofRun),
    () => journals(result)
  ]
  const found: string[] = []
  // One by one, or the search for processes would find the search for containers.
  for (const search of searches) found.push(...(await search()))
  return found
}

async function loopDevices(ofRun: (text: string) => boolean): Promise<string[]> {
  const devices = (await readdir('/sys/block')).filter(name => name.startsWith('loop'))
  const bound = await Promise.all(
    // A device that is free has no such file.
    devices.map(async name => [name, await read(`/sys/block/${name}/loop/backing_file`)] as const)
  )
  return bound
    .filter(([, file]) => ofRun(file))
    .map(([name, file]) => `loop device /dev/${name}: ${file.trim()}`)
}

async function mounts(ofRun: (text: string) => boolean): Promise<string[]> {
  const lines = (await read('/proc/self/mountinfo')).trim().split('\n')
  return lines
    .map(line => line.replace(/\\(\d{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8))))
    .filter(ofRun)
    .map(line => `mount ${line}`)
}

async function containers(ofRun: (text: string) => boolean): Promise<string[]> {
  const list = ['ps', '--all', '--filter', `name=${RUN_NAME}`, '--format', '{{.Names}} ({{.Status}})']
  const { stdout } = await promisify(execFile)('docker', list)
  return lines(stdout)
    .filter(ofRun)
    .map(container => `container ${container}`)
}

/** Names that a run gave to images; those it built stay in Docker's cache without one. */
async function imageNames(run: string | undefined): Promise<string[]> {
  if (run === undefined) return []
  const { stdout } = await promisify(execFile)('docker', ['images', '--quiet', `${NAME}:${run}`])
  return lines(stdout).map(image => `image name ${NAME}:${run} of ${image}`)
}

async function processes(ofRun: (text: string) => boolean): Promise<string[]> {
  const own = await ancestors()
  const ids = (await readdir('/proc')).filter(name => /^\d+$/.test(name) && !own.has(name))
  const running = await Promise.all(
    ids.map(async id => {
      const command = (await read(`/proc/${id}/cmdline`)).replaceAll('\0', ' ')
      const folder = await readlink(`/proc/${id}/cwd`).catch(() => '')
      return { id, text: `${command}(in ${folder})` }
    })
  )
  return running.filter(({ text }) => ofRun(text)).map(({ id, text }) => `process ${id}: ${text}`)
}

/** This process and those it descends from: their arguments may name anything. */
async function ancestors(): Promise<Set<string>> {
  const ids = new Set<string>()
  for (let id = String(process.pid); id !== '' && id !== '0'; ) {
    ids.add(id)
    id = /^PPid:\s*(\d+)/m.exec(await read(`/proc/${id}/status`))?.[1] ?? ''
  }
  return ids
}

/** Files in RUNNER_TEMP other than those published, and empty folders. */
async function temporaryFiles({ temp, outputs }: RunResult): Promise<string[]> {
  const published = ['files', 'checksums', 'serial-log', 'screenshot', 'junit', 'report'].flatMap(name =>
    lines(outputs[name] ?? '')
  )
  const entries = await readdir(temp, { recursive: true, withFileTypes: true })
  const paths = entries.map(entry => join(entry.parentPath, entry.name)).sort()
  const parents = new Set(paths.map(dirname))
  return (
    paths
      .filter(path => !parents.has(path) && !published.includes(path))
      .filter(path => !path.startsWith(join(temp, '_runner_file_commands')))
      // `@actions/cache` deletes its archives but not the folders, named by a UUID, that it made for them.
      .filter(
        path => !(dirname(path) === temp && /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/.test(basename(path)))
      )
      .map(path => `temporary file ${path}`)
  )
}

/** Work folders in output folders, and what was put into the system's temporary folder. */
async function workFolders(
  { workspace, outputs, inputs }: RunResult,
  ofRun: (text: string) => boolean
): Promise<string[]> {
  const outputFolder = outputs.image ? dirname(outputs.image) : resolve(workspace, inputs['output-dir'] ?? '')
  const own = new Set([workspace, outputFolder])
  const shared = [tmpdir(), '/var/tmp', '/dev/shm', '/run', '/mnt'].filter(folder => !own.has(folder))
  const named = [...own, ...shared].map(async folder => {
    const names = await readdir(folder).catch(() => [])
    const isLeft = own.has(folder) ? (name: string) => /^\.?docker-to-disk-/.test(name) : ofRun
    return names.filter(isLeft).map(name => join(folder, name))
  })
  return (await Promise.all(named)).flat().map(path => `work file ${path}`)
}

async function journals({ home }: RunResult): Promise<string[]> {
  const folder = join(home, '.local', 'state', NAME)
  const names = await readdir(folder).catch(() => [])
  return names.map(name => `journal ${join(folder, name)}`)
}

const read = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '')

const lines = (text: string): string[] => text.split('\n').filter(line => line !== '')
