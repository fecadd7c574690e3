import { DISK_BUSES, DISK_DRIVERS, type DiskBus, type Drivers } from '../distro/disk-buses.ts'

export const NETWORK_CARDS = ['virtio', 'e1000', 'e1000e', 'vmxnet3'] as const
export type NetworkCard = (typeof NETWORK_CARDS)[number]

/** What of a boot check's machine an image may have no drivers for. */
export type Devices = Readonly<{ diskBus: DiskBus; networkCard: NetworkCard }>

/** The devices for people. */
export const describeDevices = ({ diskBus, networkCard }: Devices): string =>
  `disk on ${diskBus}, network card ${networkCard}`

/** Modules that the kernel needs for each card. */
const NETWORK_DRIVERS: Record<NetworkCard, readonly string[]> = {
  virtio: ['virtio_net', 'virtio_pci'],
  e1000: ['e1000'],
  e1000e: ['e1000e'],
  vmxnet3: ['vmxnet3']
}

/** The first that the kernel drives; the first of all if there is none, or nothing is known. */
const fitting = <T extends string>(
  needed: Record<T, readonly string[]>,
  all: readonly T[],
  drivers: ReadonlySet<string> | undefined
): T | undefined =>
  drivers === undefined ? all[0] : (all.find(one => needed[one].every(name => drivers.has(name))) ?? all[0])

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
    networkCard === 'auto' ? (fitting(NETWORK_DRIVERS, NETWORK_CARDS, drivers?.all) ?? 'virtio') : networkCard
  const bus = diskBus === 'auto' ? (fitting(DISK_DRIVERS, DISK_BUSES, drivers?.early) ?? 'virtio') : diskBus
  return (matrix.length > 0 ? matrix : [bus]).map(one => ({ diskBus: one, networkCard: card }))
}

/** Whether the kernel is known to have no driver for the machine's disk. */
export const lacksDiskDriver = ({ diskBus }: Devices, drivers: Drivers): readonly string[] =>
  drivers === null ? [] : DISK_DRIVERS[diskBus].filter(name => !drivers.early.has(name))
