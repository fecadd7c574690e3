import type { Container } from '../container.ts'
import type { TreeIndex } from '../tree.ts'

export const DISK_BUSES = ['virtio', 'sata', 'nvme', 'scsi'] as const
export const NETWORK_CARDS = ['virtio', 'e1000', 'e1000e', 'vmxnet3'] as const

export type DiskBus = (typeof DISK_BUSES)[number]
export type NetworkCard = (typeof NETWORK_CARDS)[number]

/** What of a boot check's machine an image may have no drivers for. */
export type Devices = Readonly<{ diskBus: DiskBus; networkCard: NetworkCard }>

/** Modules that the kernel needs for each; all of those listed. */
const DISK_DRIVERS: Record<DiskBus, readonly string[]> = {
  virtio: ['virtio_blk', 'virtio_pci'],
  sata: ['ahci', 'sd_mod'],
  nvme: ['nvme'],
  scsi: ['virtio_scsi', 'virtio_pci', 'sd_mod']
}
const NETWORK_DRIVERS: Record<NetworkCard, readonly string[]> = {
  virtio: ['virtio_net', 'virtio_pci'],
  e1000: ['e1000'],
  e1000e: ['e1000e'],
  vmxnet3: ['vmxnet3']
}

/** Names of the kernel's modules, those that are built in included; null where that is not to be known. */
export type Drivers = ReadonlySet<string> | null

/** Largest modules.builtin that is read, in bytes; that of a distribution has about 40 KiB. */
const LARGEST_LIST = 1 << 20

/** Finds out which drivers the kernel of that release has. */
export async function readDrivers(
  { index, read }: Pick<Container, 'index' | 'read'>,
  release: string
): Promise<Drivers> {
  const folder = ['lib/modules', 'usr/lib/modules']
    .map(parent => index.resolve(`${parent}/${release}`))
    .find(real => real !== null)
  if (folder === undefined || release === '') return null
  const list = index.resolve(`${folder}/modules.builtin`)
  const builtIn = list === null ? null : await read(list, LARGEST_LIST)
  if (builtIn === null) return null
  return new Set([...builtIn.toString('latin1').split('\n'), ...filesBelow(index, folder)].map(moduleOf))
}

/** Files of a real folder, links not followed. */
function filesBelow(index: TreeIndex, folder: string): string[] {
  return index.list(folder).flatMap(name => {
    const path = `${folder}/${name}`
    const kind = index.entry(path)?.kind
    if (kind === 'd') return filesBelow(index, path)
    return kind === 'f' ? [path] : []
  })
}

/** The kernel's own name of a module, in which a hyphen is an underscore. */
const moduleOf = (path: string): string =>
  (path.split('/').pop() ?? '').replace(/\.ko(\.\w+)?$/, '').replaceAll('-', '_')

/** The first that the kernel drives; the first of all if there is none, or nothing is known. */
const fitting = <T extends string>(
  needed: Record<T, readonly string[]>,
  all: readonly T[],
  drivers: Drivers
): T | undefined =>
  drivers === null ? all[0] : (all.find(one => needed[one].every(name => drivers.has(name))) ?? all[0])

/** The machines of a boot check, one for each bus of the matrix. */
export function planDevices(
  {
    diskBus,
    networkCard,
    matrix
  }: Readonly<{
    diskBus: DiskBus | 'auto'
    networkCard: NetworkCard | 'auto'
    /** Disk buses to boot on, one after the other; none for the one that `diskBus` names. */
    matrix: readonly DiskBus[]
  }>,
  drivers: Drivers
): Devices[] {
  const card =
    networkCard === 'auto' ? (fitting(NETWORK_DRIVERS, NETWORK_CARDS, drivers) ?? 'virtio') : networkCard
  const bus = diskBus === 'auto' ? (fitting(DISK_DRIVERS, DISK_BUSES, drivers) ?? 'virtio') : diskBus
  return (matrix.length > 0 ? matrix : [bus]).map(one => ({ diskBus: one, networkCard: card }))
}

/** Whether the kernel is known to have no driver for the machine's disk. */
export const lacksDiskDriver = ({ diskBus }: Devices, drivers: Drivers): readonly string[] =>
  drivers === null ? [] : DISK_DRIVERS[diskBus].filter(name => !drivers.has(name))
