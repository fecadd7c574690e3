import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as core from '@actions/core'
import { MBR_PLACES, MODULE_FOLDERS } from './bootloader.ts'
import { within } from './deadline.ts'
import { ActionError, messageOf, saysNoSpace } from './errors.ts'
import type { Host } from './host.ts'
import type { Inputs } from './inputs.ts'
import { inert } from './text.ts'

/** A host program, or file, that the run needs and the Debian or Ubuntu package that brings it. */
export type Tool = Readonly<
  { package: string } & ({ program: string } | { file: string; places: readonly string[] })
>

/** Programs and files that a run with these inputs needs on the host. */
export function neededTools(inputs: Inputs): Tool[] {
  const program = (name: string, pkg: string): Tool => ({ program: name, package: pkg })
  const compresses = (compression: string): boolean =>
    inputs.formats.some(format => format.compression === compression)
  const converts = inputs.boot !== null || inputs.formats.some(format => format.container !== 'raw')
  return [
    program('extlinux', 'extlinux'),
    { file: 'mbr.bin', places: MBR_PLACES, package: 'syslinux-common' },
    {
      file: 'menu.c32',
      places: MODULE_FOLDERS.map(folder => `${folder}/menu.c32`),
      package: 'syslinux-common'
    },
    program('sfdisk', 'fdisk'),
    program('mke2fs', 'e2fsprogs'),
    program('losetup', 'mount'),
    program('tar', 'tar'),
    program('find', 'findutils'),
    ...(inputs.rootPassword === null ? [] : [program('openssl', 'openssl')]),
    ...(converts ? [program('qemu-img', 'qemu-utils')] : []),
    ...(inputs.boot === null ? [] : [program('qemu-system-x86_64', 'qemu-system-x86')]),
    ...(compresses('zst') ? [program('zstd', 'zstd')] : []),
    ...(compresses('gz') ? [program('pigz', 'pigz')] : []),
    ...(compresses('xz') ? [program('xz', 'xz-utils')] : [])
  ]
}

const namesOf = (tools: readonly Tool[]): string =>
  tools.map(tool => ('program' in tool ? tool.program : tool.file)).join(', ')

const packagesOf = (tools: readonly Tool[]): string[] => [...new Set(tools.map(tool => tool.package))].sort()

/** Where the MBR's code lies on this machine. */
export const bootCodePath = (): string => MBR_PLACES.find(place => existsSync(place)) ?? MBR_PLACES[0]

/** Where the boot loader's modules lie on this machine. */
export const moduleFolder = (): string | null =>
  MODULE_FOLDERS.find(folder => existsSync(join(folder, 'menu.c32'))) ?? null

function isPresent(host: Host, tool: Tool): boolean {
  return 'program' in tool ? host.which(tool.program) !== null : tool.places.some(place => existsSync(place))
}

/** What installing did, for the report and for the post step, which saves the packages. */
export type ToolsResult = Readonly<{
  installed: readonly string[]
  source: 'present' | 'cache' | 'network'
  /** Folder and key under which the packages are to be saved; null if there is nothing new. */
  save: PackageCache | null
}>

export type PackageCache = Readonly<{ folder: string; key: string }>

/**
 * Where packages are kept from the first run to the post step. The path is part of what the cache finds an entry by, so it is
 * the same in every run of a runner; a runner has one job at a time and a RUNNER_TEMP of its own.
 */
export const packageFolder = {
  path: (): string => join(process.env.RUNNER_TEMP || tmpdir(), 'docker-to-disk-apt'),
  /** As root, for apt keeps a folder in it that nobody else may read. */
  remove: async (host: Host): Promise<void> => {
    const path = packageFolder.path()
    if (existsSync(path))
      await host.runAsRoot(['rm', '--recursive', '--force', '--', path], { evenIfCancelled: true })
  }
}

const APT_OPTIONS = [
  ...['-o', 'Acquire::Retries=3', '-o', 'Acquire::http::Timeout=20', '-o', 'Acquire::https::Timeout=20'],
  ...['-o', 'DPkg::Lock::Timeout=120', '-o', 'APT::Install-Recommends=false', '-o', 'Dpkg::Use-Pty=false']
]
const APT_ENV = { DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_SUSPEND: '1' }
/** Milliseconds for all that apt does. */
const APT_LIMIT = 8 * 60_000

/**
 * What of the needed tools this machine lacks.
 * @throws ActionError that names them if they may not or cannot be installed
 */
export function missingTools(host: Host, inputs: Inputs): Tool[] {
  const missing = neededTools(inputs).filter(tool => !isPresent(host, tool))
  if (missing.length === 0) return []
  const words = `Missing on this machine: ${namesOf(missing)}`
  if (!inputs.installTools) {
    const command = `sudo apt-get install ${packagesOf(missing).join(' ')}`
    throw new ActionError(
      `${words}. Set install-tools to true, or install them before: ${command}`,
      'Missing programs'
    )
  }
  if (host.which('apt-get') === null) {
    throw new ActionError(
      `${words}; it has no apt-get to install them with. Install them by hand, or use a Debian or Ubuntu runner.`,
      'Missing programs'
    )
  }
  return missing
}

/**
 * Installs the missing tools, from the Actions cache if it has their packages, else from the network.
 * @throws ActionError that names what could not be installed
 */
export async function installTools(
  host: Host,
  missing: readonly Tool[],
  onLine: (line: string) => void,
  limitMs = APT_LIMIT
): Promise<ToolsResult> {
  if (missing.length === 0) return { installed: [], source: 'present', save: null }
  const packages = packagesOf(missing)
  onLine(`Missing: ${namesOf(missing)}`)
  const folder = packageFolder.path()
  mkdirSync(folder, { recursive: true })
  const cache = { folder, key: cacheKey(packages) }
  const deadline = performance.now() + limitMs
  const restored = await restorePackages(cache, host.cancelled, onLine)
  if (
    restored &&
    (await installFiles(host, folder, onLine, deadline)) &&
    missing.every(tool => isPresent(host, tool))
  ) {
    return { installed: packages, source: 'cache', save: null }
  }
  await installFromNetwork(host, packages, folder, onLine, deadline)
  const still = missing.filter(tool => !isPresent(host, tool))
  if (still.length > 0) {
    throw new ActionError(
      `Installed ${packages.join(', ')}, but ${namesOf(still)} is still missing.`,
      'Missing programs'
    )
  }
  // What the cache holds under this key did not do: it cannot be overwritten, so it is not saved again.
  return { installed: packages, source: 'network', save: restored ? null : cache }
}

/** The packages fit the machine they were chosen for: its image and version where it has one, else its distribution. */
function cacheKey(packages: readonly string[]): string {
  const { ImageOS, ImageVersion } = process.env
  const machine = ImageOS ? `${ImageOS}-${ImageVersion ?? ''}` : osRelease()
  const hash = createHash('sha256').update(packages.join(' ')).digest('hex').slice(0, 16)
  return `docker-to-disk-apt-${machine}-${process.arch}-${hash}`
}

function osRelease(): string {
  try {
    const text = readFileSync('/etc/os-release', 'utf8')
    const value = (name: string): string => new RegExp(`^${name}="?([^"\\n]*)`, 'm').exec(text)?.[1] ?? ''
    return `${value('ID')}-${value('VERSION_ID')}`
  } catch {
    return 'unknown'
  }
}

async function restorePackages(
  { folder, key }: PackageCache,
  cancelled: AbortSignal,
  onLine: (line: string) => void
): Promise<boolean> {
  try {
    const hit = await withCache(folder, cancelled, cache => cache.restoreCache(packagePaths(folder), key))
    if (hit === null) return false
    onLine(hit ? `Restored the packages from the cache (${key})` : `The cache has no packages (${key})`)
    return hit !== undefined
  } catch (error) {
    onLine(`The cache does not answer: ${inert(messageOf(error))}`)
    return false
  }
}

/** Saves the packages for the next run; never throws. */
export async function savePackages({ folder, key }: PackageCache): Promise<void> {
  try {
    if (debFiles(folder).length === 0) return
    const saved = await withCache(folder, new AbortController().signal, cache =>
      cache.saveCache(packagePaths(folder), key)
    )
    // The toolkit only warns of what goes wrong, and answers -1.
    if (saved !== null && saved !== -1) core.info(`Saved the packages of the installed programs (${key}).`)
  } catch (error) {
    core.info(`The packages were not saved: ${inert(messageOf(error))}`)
  }
}

/**
 * Calls the toolkit's cache, loaded when needed since it is much of the bundle; null where there is none. It leaves temporary
 * files behind, which therefore go into the package folder.
 */
async function withCache<T>(
  folder: string,
  cancelled: AbortSignal,
  call: (cache: typeof import('@actions/cache')) => Promise<T>
): Promise<T | null> {
  const cache = await import('@actions/cache')
  if (!cache.isFeatureAvailable()) return null
  const { RUNNER_TEMP } = process.env
  process.env.RUNNER_TEMP = folder
  try {
    // The toolkit waits for a service that never answers for a quarter of an hour: the network is faster then.
    const limit = (Number(process.env.SEGMENT_DOWNLOAD_TIMEOUT_MINS) || 2) * 60_000
    return await within(limit, cancelled, call(cache))
  } finally {
    if (RUNNER_TEMP === undefined) delete process.env.RUNNER_TEMP
    else process.env.RUNNER_TEMP = RUNNER_TEMP
  }
}

const packagePaths = (folder: string): string[] => [join(folder, '*.deb')]

const debFiles = (folder: string): string[] =>
  readdirSync(folder)
    .filter(name => name.endsWith('.deb'))
    .map(name => join(folder, name))

async function installFiles(
  host: Host,
  folder: string,
  onLine: (line: string) => void,
  deadline: number
): Promise<boolean> {
  const files = debFiles(folder)
  if (files.length === 0) return false
  const installed = await apt(host, ['install', '--yes', '--', ...files], onLine, deadline)
  if (!installed) onLine('The packages from the cache do not fit this machine.')
  return installed
}

async function installFromNetwork(
  host: Host,
  packages: readonly string[],
  folder: string,
  onLine: (line: string) => void,
  deadline: number
): Promise<void> {
  let full = false
  const see = (line: string): void => {
    full ||= saysNoSpace(line)
    onLine(line)
  }
  // Two tries: mirrors change under the feet of a list that is minutes old.
  for (const attempt of [1, 2]) {
    const updated = await apt(host, ['update'], see, deadline)
    const keep = ['-o', `Dir::Cache::archives=${folder}`, '-o', 'APT::Keep-Downloaded-Packages=true']
    if (await apt(host, ['install', '--yes', ...keep, '--', ...packages], see, deadline)) return
    if (full) {
      throw new ActionError(
        `The runner's disk is full: apt-get could not install ${packages.join(', ')}. Free space first, or install them before this step.`,
        'No space left'
      )
    }
    const late = performance.now() > deadline
    if (attempt === 2 || late) {
      throw new ActionError(
        `apt-get could not install ${packages.join(', ')}${updated ? '' : ', and its package lists could not be updated'}${late ? ', and time is up' : ''}. ` +
          'Its output is in the log above; install them before this step if the machine has no network.',
        'Missing programs'
      )
    }
    // A run that was killed may have left packages half-installed, and apt then refuses all work.
    await host.runAsRoot(['dpkg', '--configure', '--pending'], {
      env: APT_ENV,
      timeout: Math.max(deadline - performance.now(), 1000),
      allowFailure: true,
      onLine: line => onLine(inert(line))
    })
  }
}

async function apt(
  host: Host,
  args: readonly string[],
  onLine: (line: string) => void,
  deadline: number
): Promise<boolean> {
  try {
    // apt takes any option; this one lets the undo find the process, whose environment sudo has cleaned.
    const mark = ['-o', `docker-to-disk::Run=${host.runId}`]
    const result = await host.runAsRoot(['apt-get', '-qq', ...APT_OPTIONS, ...mark, ...args], {
      env: APT_ENV,
      timeout: Math.max(deadline - performance.now(), 1000),
      allowFailure: true,
      onLine: line => onLine(inert(line))
    })
    return result.exitCode === 0
  } catch (error) {
    if (host.cancelled.aborted) throw error
    onLine(messageOf(error))
    return false
  }
}
