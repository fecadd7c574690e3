import { randomBytes, randomUUID } from 'node:crypto'
import { closeSync, mkdirSync, openSync, statfsSync, truncateSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import * as core from '@actions/core'
import type { Container } from './container.ts'
import { applyEdits, type Edit, extractArgv } from './edits.ts'
import { ActionError, messageOf } from './errors.ts'
import type { Host } from './host.ts'
import { type Filesystem, type Inputs, needsCopy } from './inputs.ts'
import { formatBytes, MIB } from './text.ts'
import { BLOCK, type Measure, roundToBlocks } from './tree.ts'
import type { Resource, Undo } from './undo.ts'

export const SECTOR = 512
/** First sector of the partition: 1 MiB, the alignment that every partitioning tool uses. */
const START_SECTOR = 2048
const START_BYTES = START_SECTOR * SECTOR
const INODE_BYTES = 256
const BLOCKS_PER_GROUP = 8 * BLOCK
/** Group descriptors in a block, 32 bytes each without the feature 64bit. */
const DESCRIPTORS_PER_BLOCK = BLOCK / 32

/** Below 8 MiB mke2fs makes no journal. */
const LEAST_FILESYSTEM = 15 * MIB

/** A disk as it will be made: one bootable Linux partition in an MBR partition table. */
export type DiskPlan = Readonly<{
  sizeBytes: number
  partition: Readonly<{ startSector: number; sectors: number }>
  /** MBR disk id, eight hexadecimal digits. */
  diskId: string
  filesystem: Filesystem
  uuid: string
  label: string
  inodes: number
  /** 0 for a filesystem without a journal. */
  journalMiB: number
}>

/** How Linux names the partition without an initrd: disk id and number (`PARTUUID`). */
export const partuuid = (plan: DiskPlan): string => `${plan.diskId}-01`

type Room = Readonly<{ filesystemBytes: number; inodes: number; journalMiB: number }>

/** Journal sizes that mke2fs takes by itself, by the filesystem's size in bytes. */
function journalFor(filesystem: Filesystem, bytes: number): number {
  if (filesystem === 'ext2') return 0
  const [, mib] =
    [
      [128, 4],
      [1024, 16],
      [2048, 32],
      [Infinity, 64]
    ].find(([below = 0]) => bytes < below * MIB) ?? []
  return mib ?? 64
}

/** Bytes of an ext filesystem that hold no file: tables, bitmaps, superblock copies, space to grow, journal. */
function overhead(filesystem: Filesystem, bytes: number, inodes: number): number {
  const blocks = Math.ceil(bytes / BLOCK)
  const groups = Math.ceil(blocks / BLOCKS_PER_GROUP)
  const descriptorBlocks = Math.ceil(groups / DESCRIPTORS_PER_BLOCK)
  // The feature resize_inode keeps descriptor blocks for 1024 times the size, 1024 blocks at the most.
  const grown = Math.ceil(Math.min(blocks * 1024, 2 ** 32) / BLOCKS_PER_GROUP / DESCRIPTORS_PER_BLOCK)
  const reserved = Math.min(grown, BLOCK / 4)
  const copies = Array.from({ length: groups }, (_, group) => group).filter(hasSuperblock).length
  const tables = roundToBlocks(inodes * INODE_BYTES) + groups * 3 * BLOCK
  return tables + copies * (1 + descriptorBlocks + reserved) * BLOCK + journalFor(filesystem, bytes) * MIB
}

/** Groups 0, 1 and the powers of 3, 5 and 7 hold a copy of the superblock (feature sparse_super). */
function hasSuperblock(group: number): boolean {
  if (group < 2) return true
  return [3, 5, 7].some(base => {
    let power = base
    while (power < group) power *= base
    return power === group
  })
}

const inodesFor = (measure: Measure, bytes: number): number =>
  // mke2fs' own ratio is one inode for 16 KiB; a tree of small files needs more, and room to add some.
  Math.max(Math.ceil(bytes / 16_384), Math.ceil(measure.inodes * 1.05) + 1024)

/** The smallest filesystem that holds the tree with that much space free. */
function roomFor(measure: Measure, filesystem: Filesystem, freeBytes: number): Room {
  // Folders grow a little when they are filled anew, fragmented files need blocks for their extents (ext4) or block lists.
  const lists = filesystem === 'ext4' ? 0 : measure.bytes / 512
  const content = measure.bytes * 1.01 + lists + 2 * MIB + freeBytes
  let bytes = Math.max(content, LEAST_FILESYSTEM)
  for (;;) {
    // One per cent is kept for root (mke2fs -m 1).
    const needed = (content + overhead(filesystem, bytes, inodesFor(measure, bytes))) / 0.99
    if (needed <= bytes) break
    bytes = Math.ceil(needed / MIB) * MIB
  }
  return {
    filesystemBytes: bytes,
    inodes: inodesFor(measure, bytes),
    journalMiB: journalFor(filesystem, bytes)
  }
}

/**
 * Plans the disk for a tree.
 * @throws ActionError with both numbers if the size asked for does not hold the tree
 */
export function planDisk(
  measure: Measure,
  inputs: Pick<Inputs, 'sizeBytes' | 'extraSpaceBytes' | 'filesystem'>
): DiskPlan {
  const { filesystem, sizeBytes, extraSpaceBytes } = inputs
  let room = roomFor(measure, filesystem, sizeBytes === null ? extraSpaceBytes : 0)
  if (sizeBytes !== null) {
    const least = room.filesystemBytes + START_BYTES
    if (sizeBytes < least) {
      throw new ActionError(
        `Input size is ${formatBytes(sizeBytes)} (${sizeBytes} bytes), but the content needs a disk of at least ` +
          `${formatBytes(least)} (${least} bytes): set size to ${Math.ceil(least / MIB)}M or more, or to auto.`,
        'Disk too small'
      )
    }
    const filesystemBytes = sizeBytes - START_BYTES
    room = {
      filesystemBytes,
      inodes: inodesFor(measure, filesystemBytes),
      journalMiB: journalFor(filesystem, filesystemBytes)
    }
  }
  return {
    sizeBytes: room.filesystemBytes + START_BYTES,
    partition: { startSector: START_SECTOR, sectors: room.filesystemBytes / SECTOR },
    diskId: randomBytes(4).toString('hex'),
    filesystem,
    uuid: randomUUID(),
    label: 'root',
    inodes: room.inodes,
    journalMiB: room.journalMiB
  }
}

/** Input of sfdisk(8) for the plan's partition table. */
export const sfdiskScript = ({ diskId, partition }: DiskPlan): string =>
  [
    'label: dos',
    `label-id: 0x${diskId}`,
    'unit: sectors',
    '',
    `start=${partition.startSector}, size=${partition.sectors}, type=83, bootable`,
    ''
  ].join('\n')

/**
 * Features of each filesystem, all of them: what mke2fs turns on by itself changes with its version and its
 * configuration. Left out are those that extlinux cannot read (inline_data, meta_bg), that fsck of older guests refuses
 * (metadata_csum before e2fsprogs 1.43, orphan_file and metadata_csum_seed before 1.47) and 64bit, of no use below 16 TiB.
 * The journal comes on top, by the plan.
 */
const FEATURES: Record<Filesystem, readonly string[]> = {
  ext2: ['ext_attr', 'resize_inode', 'dir_index', 'filetype', 'sparse_super', 'large_file'],
  ext3: ['ext_attr', 'resize_inode', 'dir_index', 'filetype', 'sparse_super', 'large_file'],
  ext4: [
    ...['ext_attr', 'resize_inode', 'dir_index', 'filetype', 'sparse_super', 'large_file'],
    ...['extent', 'flex_bg', 'huge_file', 'uninit_bg', 'dir_nlink', 'extra_isize']
  ]
}

/**
 * The command that makes the filesystem inside the disk file, without a journal.
 * @param knowsPrezeroed whether mke2fs has `assume_storage_prezeroed` (1.47); without it the guest's kernel zeroes the
 *   inode tables of a sparse file in the background of its first boot
 */
export function mkfsArgv(plan: DiskPlan, path: string, knowsPrezeroed: boolean): string[] {
  const extended = [
    `offset=${START_BYTES}`,
    'nodiscard',
    'root_owner=0:0',
    // The file is sparse: its blocks are zero already.
    'lazy_journal_init=1',
    knowsPrezeroed ? 'assume_storage_prezeroed=1' : 'lazy_itable_init=1'
  ]
  return [
    ...['mke2fs', '-q', '-F', '-t', plan.filesystem, '-b', `${BLOCK}`, '-I', `${INODE_BYTES}`, '-m', '1'],
    ...[
      '-O',
      ['none', ...(plan.journalMiB > 0 ? ['has_journal'] : []), ...FEATURES[plan.filesystem]].join(','),
      '-N',
      `${plan.inodes}`
    ],
    ...(plan.journalMiB > 0 ? ['-J', `size=${plan.journalMiB}`] : []),
    ...[
      '-U',
      plan.uuid,
      '-L',
      plan.label,
      '-E',
      extended.join(','),
      '--',
      path,
      `${(plan.partition.sectors * SECTOR) / 1024}k`
    ]
  ]
}

/**
 * How the e2fsprogs name the filesystem inside the disk file. They take options from the first question mark on, so the
 * folder, which the user names and which may hold one, is not part of the name.
 */
const filesystemIn = (path: string): { name: string; cwd: string } => ({
  name: `./${basename(path)}?offset=${START_BYTES}`,
  cwd: dirname(path)
})

/** Writes the partition table and an empty filesystem into a new sparse file. */
export async function createDisk(host: Host, plan: DiskPlan, path: string): Promise<void> {
  closeSync(openSync(path, 'wx', 0o644))
  truncateSync(path, plan.sizeBytes)
  await host.run(['sfdisk', '--quiet', '--no-reread', '--no-tell-kernel', path], {
    input: sfdiskScript(plan)
  })
  const version = await host.run(['mke2fs', '-V'])
  const [, major = '0', minor = '0'] = /mke2fs (\d+)\.(\d+)/.exec(version.stderr) ?? []
  await host.run(mkfsArgv(plan, path, Number(major) > 1 || Number(minor) >= 47))
  await showJournal(host, plan, path, false)
}

/** Fails before anything is written if the disk file and what is made from it cannot fit. */
export function checkSpace(folder: string, plan: DiskPlan, measure: Measure, inputs: Inputs): void {
  const { bavail, bsize } = statfsSync(folder)
  const free = bavail * bsize
  // Every format holds the content once more; compression only helps, and fixed-size vhd files stay sparse. So does the copy of the
  // disk that scripts run in.
  const made = inputs.formats.filter(
    ({ container, compression }) => container !== 'raw' || compression
  ).length
  const copies = inputs.boot !== null && needsCopy(inputs.boot) ? 1 : 0
  const needed = Math.ceil(measure.bytes * (1 + copies + made * 0.8)) + 64 * MIB
  if (free >= needed) return
  throw new ActionError(
    `${folder} has ${formatBytes(free)} free, but about ${formatBytes(needed)} are needed for a disk of ${formatBytes(plan.sizeBytes)} ` +
      'in the formats asked for. Set output-dir to a folder on a larger disk (/mnt on some hosted runners) or free space first.',
    'Not enough disk space'
  )
}

const FILL_LIMIT = 60 * 60_000

/** The disk's filesystem, mounted through a loop device that detaches itself with the mount. */
export type MountedDisk = Readonly<{ path: string; mountPoint: string; resources: readonly Resource[] }>

/** Mounts the filesystem of the disk file. */
export async function mountDisk(
  host: Host,
  undo: Undo,
  plan: DiskPlan,
  path: string,
  workDir: string
): Promise<MountedDisk> {
  const mountPoint = join(workDir, 'root')
  mkdirSync(mountPoint)
  const resources: Resource[] = [
    { kind: 'loop', file: path },
    { kind: 'mount', target: mountPoint }
  ]
  for (const resource of resources) undo.register(resource)
  const options = [
    ...[
      'loop',
      `offset=${START_BYTES}`,
      `sizelimit=${plan.partition.sectors * SECTOR}`,
      'nodev',
      'nosuid',
      'noexec'
    ],
    // The file is not the disk of a machine that may lose power: every barrier would be an fsync of it.
    ...['barrier=0', 'noinit_itable']
  ]
  try {
    await host.runAsRoot(['mount', '-t', 'ext4', '-o', options.join(','), path, mountPoint], {
      timeout: 120_000
    })
  } catch (error) {
    if (host.cancelled.aborted) throw error
    throw new ActionError(
      `The new filesystem cannot be mounted through a loop device. ${messageOf(error)}`,
      'No loop device'
    )
  }
  return { path, mountPoint, resources }
}

/** Streams the container's tree into the mounted filesystem and applies the edits. */
export async function fillDisk(
  host: Host,
  disk: MountedDisk,
  container: Container,
  edits: readonly Edit[]
): Promise<void> {
  const { mountPoint } = disk
  try {
    await host.pipe(container.archive, { asRoot: true, argv: extractArgv(mountPoint) }, FILL_LIMIT)
    if (!container.keepsHoles) await digHoles(host, mountPoint)
    await applyEdits(host, container.index, mountPoint, edits)
  } catch (error) {
    throw explainFullDisk(error, disk)
  }
}

/** Unmounts the filesystem, turns its journal on and checks it. */
export async function finishDisk(host: Host, undo: Undo, plan: DiskPlan, disk: MountedDisk): Promise<void> {
  try {
    // The only one to tell that the kernel could not write what tar has written: unmounting loses it without a word.
    await host.runAsRoot(['sync', '--file-system', disk.mountPoint], { timeout: FILL_LIMIT })
    // Some implementations of sync(1) do not tell either; a volume that ran full is not to be trusted.
    if (freeBytes(disk.path) < FULL) throw new Error('No space left on device')
  } catch (error) {
    throw explainFullDisk(error, disk)
  }
  for (const resource of disk.resources.toReversed()) await undo.release(resource)
  await showJournal(host, plan, disk.path, true)
  await checkFilesystem(host, disk.path)
}

/** Docker's export writes zeros where the image has holes. What is freed in the filesystem is then freed in the disk file. */
async function digHoles(host: Host, folder: string): Promise<void> {
  await host.runAsRoot(
    // A swap file with holes cannot be used.
    [
      'find',
      folder,
      '-xdev',
      '-type',
      'f',
      '-size',
      '+1024k',
      '!',
      '-iname',
      '*swap*',
      '-exec',
      'fallocate',
      '--dig-holes',
      '--',
      '{}',
      ';'
    ],
    { timeout: FILL_LIMIT }
  )
  await host.runAsRoot(['fstrim', folder], { allowFailure: true, timeout: FILL_LIMIT })
}

/**
 * Hides or shows the journal, which mke2fs has made. Files come in twice as fast without one, and nothing is lost if this
 * process dies, for then the file is no result. Adding one afterwards is no way: tune2fs wants twice its size free.
 */
async function showJournal(host: Host, plan: DiskPlan, path: string, shown: boolean): Promise<void> {
  if (plan.journalMiB === 0) return
  const request = `feature ${shown ? '' : '-'}has_journal`
  const { name, cwd } = filesystemIn(path)
  const { stdout } = await host.run(['debugfs', '-w', '-R', request, name], { cwd })
  // debugfs reports errors by words alone.
  if (stdout.includes('has_journal') !== shown)
    throw new ActionError(`debugfs could not do "${request}": ${stdout.trim()}`)
}

async function checkFilesystem(host: Host, path: string): Promise<void> {
  const { name, cwd } = filesystemIn(path)
  const checked = await host.run(['e2fsck', '-fn', name], { allowFailure: true, cwd })
  if (checked.exitCode !== 0) {
    throw new ActionError(
      `e2fsck finds errors in the new filesystem:\n${checked.stdout.slice(-2000)}`,
      'Damaged filesystem'
    )
  }
  core.info(checked.stdout.trim().split('\n').pop() ?? '')
}

/** Why the filesystem in the disk file was not left cleanly by who mounted it last; null if it was. */
export async function uncleanFilesystem(host: Host, path: string): Promise<string | null> {
  const { name, cwd } = filesystemIn(path)
  const { stdout } = await host.run(['debugfs', '-R', 'show_super_stats -h', name], { cwd })
  const field = (label: string): string =>
    stdout
      .split('\n')
      .find(line => line.startsWith(`${label}:`))
      ?.slice(label.length + 1)
      .trim() ?? ''
  if (field('Filesystem features').split(' ').includes('needs_recovery'))
    return 'its journal holds what was not written yet'
  return field('Filesystem state') === 'clean' ? null : `its state is "${field('Filesystem state')}"`
}

/** A volume with less free bytes counts as full. */
const FULL = 8 * MIB

const freeBytes = (path: string): number => {
  const { bavail, bsize } = statfsSync(path)
  return bavail * bsize
}

/** What to do when the disk of the runner, or the one that is made, is full; the error itself if it says nothing of that kind. */
export function explainFullDisk(error: unknown, { path, mountPoint }: MountedDisk): unknown {
  // A write that the volume below cannot take comes back as an error of the device, and may make the filesystem read-only.
  const outerFull =
    /No space left|Input\/output error|Read-only file system/.test(messageOf(error)) && freeBytes(path) < FULL
  if (!outerFull && !/No space left on device/.test(messageOf(error))) return error
  const { bavail, bsize, ffree } = statfsSync(mountPoint)
  const full = bavail * bsize < FULL || ffree === 0
  return new ActionError(
    full && !outerFull
      ? `The content does not fit the root filesystem (${formatBytes(bavail * bsize)} and ${ffree} inodes left). Give it a larger size or extra-space.`
      : `The runner's disk is full while the image is made. Set output-dir to a folder on a larger disk. ${messageOf(error)}`,
    'No space left'
  )
}
