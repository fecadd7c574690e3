import { createHash } from 'node:crypto'
import {
  closeSync,
  createWriteStream,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync
} from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import * as core from '@actions/core'
import type { TestCase } from './boot-check/junit.ts'
import { ActionError, messageOf } from './errors.ts'
import type { Host } from './host.ts'
import { extensionOf, type Format } from './inputs.ts'
import { formatBytes, formatSeconds, inert, MIB } from './text.ts'

/** A file made, still in the work folder. */
export type MadeFile = Readonly<{
  format: Format
  /** Final name, such as `appliance.qcow2`. */
  name: string
  path: string
  /** Apparent size in bytes. */
  size: number
  /** Hexadecimal SHA-256 of the content. */
  sha256: string
}>

/** An image that is larger than the user allows. */
export class ImageTooLarge extends ActionError {
  constructor(files: readonly Pick<MadeFile, 'name' | 'size'>[], most: number) {
    const each = files.map(
      ({ name, size }) => `${name} has ${formatBytes(size)}, ${formatBytes(size - most)} more`
    )
    super(
      `${inert(each.join('; '))} than max-image-size (${formatBytes(most)}) allows. ` +
        'Leave out of the image what it does not need, such as package lists and caches, or choose a compressed format.',
      'Image too large'
    )
  }
}

/**
 * @param cases where the check is noted
 * @throws ImageTooLarge that names each file that has more than the bytes allowed
 */
export function checkImageSizes(
  files: readonly Pick<MadeFile, 'name' | 'size'>[],
  most: number | null,
  cases: TestCase[]
): void {
  if (most === null) return
  const large = files.filter(({ size }) => size > most)
  const error = large.length > 0 ? new ImageTooLarge(large, most) : null
  cases.push({
    ...{ name: 'max-image-size', machine: 'files', seconds: 0, output: '' },
    failure: error?.message ?? null
  })
  if (error !== null) throw error
}

const LIMIT = 3 * 60 * 60_000

/**
 * qemu-img's options for each container. vhd is fixed-size with an exact size, the only kind that Azure takes; Hyper-V and
 * VirtualBox take it too.
 */
const CONVERSIONS: Record<Exclude<Format['container'], 'raw'>, readonly string[]> = {
  qcow2: ['-O', 'qcow2', '-c', '-o', 'compression_type=zstd'],
  vmdk: ['-O', 'vmdk'],
  vdi: ['-O', 'vdi'],
  vhd: ['-O', 'vpc', '-o', 'subformat=fixed,force_size=on'],
  vhdx: ['-O', 'vhdx', '-o', 'subformat=dynamic']
}

/** The command that converts the raw disk. Reads and writes out of order with many coroutines: twice as fast and more. */
export const convertArgv = (
  container: Exclude<Format['container'], 'raw'>,
  from: string,
  to: string
): string[] => [
  ...['qemu-img', 'convert', '-f', 'raw', '-m', '16', ...(container === 'vmdk' ? [] : ['-W'])],
  ...[...CONVERSIONS[container], from, to]
]

/** The command that compresses a file to standard output with all processors. */
export const compressArgv = (compression: NonNullable<Format['compression']>, from: string): string[] =>
  ({
    zst: ['zstd', '-q', '-T0', '-3', '--stdout', '--', from],
    gz: ['pigz', '--stdout', '--', from],
    xz: ['xz', '-T0', '-3', '--stdout', '--', from]
  })[compression]

/**
 * Makes every format of the raw disk, in the order asked for, each container once.
 * @param baseName name of the files without extension
 */
export async function makeFormats(
  host: Host,
  disk: string,
  formats: readonly Format[],
  baseName: string,
  workDir: string
): Promise<MadeFile[]> {
  const containers = new Map<Format['container'], string>([['raw', disk]])
  const made: (Omit<MadeFile, 'sha256'> & { sha256: Promise<string> })[] = []
  // Hashing and verifying go on beside the next format, which mostly leaves a processor idle.
  const beside: Promise<unknown>[] = []
  const goOn = <T>(work: Promise<T>): Promise<T> => {
    work.catch(() => {}) // seen when all are awaited
    beside.push(work)
    return work
  }
  try {
    for (const format of formats) {
      const begin = performance.now()
      const name = `${baseName}.${extensionOf(format)}`
      let path = containers.get(format.container)
      if (path === undefined && format.container !== 'raw') {
        path = join(workDir, `disk.${format.container}`)
        await convert(host, format.container, disk, path)
        goOn(verify(host, format.container, disk, path))
        containers.set(format.container, path)
      }
      if (path === undefined) throw new ActionError(`no disk for ${name}`)
      let sha256: Promise<string>
      if (format.compression === null) sha256 = goOn(hashFile(path, host.cancelled))
      else {
        const compressed = join(workDir, `disk.${extensionOf(format)}`)
        sha256 = Promise.resolve(await compress(host, format.compression, path, compressed))
        path = compressed
      }
      const { size } = statSync(path)
      made.push({ format, name, path, size, sha256 })
      core.info(
        inert(`Made ${name}: ${formatBytes(size)} in ${formatSeconds((performance.now() - begin) / 1000)}`)
      )
    }
    await Promise.all(beside)
  } finally {
    // Nothing may use the work folder after this.
    await Promise.allSettled(beside)
  }
  // Intermediate containers that were only compressed.
  const wanted = new Set([disk, ...made.map(file => file.path)])
  for (const path of containers.values()) if (!wanted.has(path)) rmSync(path)
  return Promise.all(made.map(async file => ({ ...file, sha256: await file.sha256 })))
}

async function convert(
  host: Host,
  container: Exclude<Format['container'], 'raw'>,
  from: string,
  to: string
): Promise<void> {
  const argv = convertArgv(container, from, to)
  try {
    await host.run(argv, { timeout: LIMIT })
  } catch (error) {
    // QEMU before 5.1, or built without zstd.
    if (container !== 'qcow2' || !/compression.type/i.test(messageOf(error))) throw error
    core.info('This qemu-img has no zstd: compressing qcow2 with zlib.')
    rmSync(to, { force: true })
    await host.run(
      argv.map(arg => (arg === 'compression_type=zstd' ? 'compression_type=zlib' : arg)),
      { timeout: LIMIT }
    )
  }
}

/** Containers whose own structures qemu-img can check. */
const CHECKABLE: readonly Format['container'][] = ['qcow2', 'vmdk', 'vdi', 'vhdx']

/**
 * Compares a converted disk with the raw one, so that no damaged image is published.
 * @throws ActionError if they differ or the container is inconsistent in itself
 */
async function verify(
  host: Host,
  container: Exclude<Format['container'], 'raw'>,
  disk: string,
  path: string
): Promise<void> {
  const driver = container === 'vhd' ? 'vpc' : container
  try {
    if (CHECKABLE.includes(container))
      await host.run(['qemu-img', 'check', '-q', '-f', driver, path], { timeout: LIMIT })
    await host.run(['qemu-img', 'compare', '-f', 'raw', '-F', driver, disk, path], { timeout: LIMIT })
  } catch (error) {
    if (host.cancelled.aborted) throw error
    throw new ActionError(
      `The ${container} made does not hold what the disk holds. ${messageOf(error)}`,
      'Damaged image'
    )
  }
}

/** Compresses a file and hashes what comes out on the way. */
async function compress(
  host: Host,
  compression: NonNullable<Format['compression']>,
  from: string,
  to: string
): Promise<string> {
  const running = host.start(compressArgv(compression, from), { stdio: ['ignore', 'pipe', 'inherit'] })
  if (!running.stdout) throw new ActionError(`${compression} has no output`)
  const hash = createHash('sha256')
  running.stdout.on('data', chunk => hash.update(chunk))
  await pipeline(running.stdout, createWriteStream(to))
  const { exitCode } = await running.ended
  if (host.cancelled.aborted) throw host.cancelled.reason
  if (exitCode !== 0)
    throw new ActionError(`Compressing ${from} to ${compression} failed with exit code ${exitCode}.`)
  return hash.digest('hex')
}

/** Into one buffer: those of a stream are garbage that V8, seeing only their small handles, leaves lying for long. */
async function hashFile(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  const buffer = Buffer.allocUnsafe(MIB)
  const file = await open(path)
  try {
    for (;;) {
      signal.throwIfAborted()
      const { bytesRead } = await file.read(buffer)
      if (bytesRead === 0) return hash.digest('hex')
      hash.update(buffer.subarray(0, bytesRead))
    }
  } finally {
    await file.close()
  }
}

/** Moves a finished file to its final name: on disk as a whole first, so that no half-written file ever has that name. */
export function settle(from: string, to: string): void {
  const file = openSync(from, 'r+')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(from, to)
}

/** Writes SHA256SUMS in the format of sha256sum(1). */
export function writeChecksums(files: readonly Pick<MadeFile, 'name' | 'sha256'>[], path: string): void {
  // sha256sum escapes newlines and backslashes in names; names here have neither.
  writeFileSync(path, files.map(({ name, sha256 }) => `${sha256}  ${name}\n`).join(''))
}
