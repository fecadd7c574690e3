import type { Container } from '../container.ts'
import type { Kernel } from './kernels.ts'

/** Disk drivers any one of which lets a kernel find its root: virtio, SATA, NVMe, virtio SCSI. */
const DISKS: readonly (readonly string[])[] = [
  ['virtio_blk', 'virtio_pci'],
  ['ahci', 'sd_mod'],
  ['nvme'],
  ['virtio_scsi', 'virtio_pci', 'sd_mod']
]

/**
 * Says what keeps a kernel from mounting its root without an initrd, or null if nothing is known to. What is built into it
 * stands in modules.builtin (kernel documentation, kbuild/kbuild.rst); a kernel that comes without modules has none and has
 * everything built in.
 * @param filesystem `ext4`, `ext3` or `ext2`, all of which the driver ext4 reads
 */
export async function lacksWithoutInitrd(
  container: Container,
  kernel: Kernel,
  filesystem: string
): Promise<string | null> {
  const path = container.index.resolve(`lib/modules/${kernel.version}/modules.builtin`)
  const text = path === null ? null : await container.read(path)
  return text === null ? null : missingBuiltIn(text.toString('latin1'), filesystem)
}

/** As {@link lacksWithoutInitrd}, of the text of modules.builtin. */
export function missingBuiltIn(modulesBuiltin: string, filesystem: string): string | null {
  const names = [...modulesBuiltin.matchAll(/([^/\n]+)\.ko\s*$/gm)].map(([, name]) =>
    name?.replaceAll('-', '_')
  )
  const has = (name: string): boolean => names.includes(name)
  const missing = [
    ...(has('ext4') || has(filesystem) ? [] : [`the filesystem (${filesystem})`]),
    ...(DISKS.some(drivers => drivers.every(has)) ? [] : ['any disk (virtio_blk, ahci or nvme)'])
  ]
  return missing.length === 0 ? null : missing.join(' and ')
}
