export const DISK_BUSES = ['virtio', 'sata', 'nvme', 'scsi'] as const
/** How a machine's disk is attached. */
export type DiskBus = (typeof DISK_BUSES)[number]

/** Modules that the kernel needs for a disk on the bus; all of those listed. */
export const DISK_DRIVERS: Record<DiskBus, readonly string[]> = {
  virtio: ['virtio_blk', 'virtio_pci'],
  sata: ['ahci', 'sd_mod'],
  nvme: ['nvme'],
  scsi: ['virtio_scsi', 'virtio_pci', 'sd_mod']
}

/** Names of a kernel's drivers, as modules are named; null where that is not to be known. */
export type Drivers = Readonly<{
  /** What it has before the root filesystem is there: all of them with an initrd, those built in without one. */
  early: ReadonlySet<string>
  all: ReadonlySet<string>
}> | null
