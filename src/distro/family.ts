import type { KernelFlavour } from '../inputs.ts'
import { compareVersions } from '../text.ts'
import type { InitSystem } from './init.ts'
import type { Distribution } from './os-release.ts'

/** What a machine needs and a container image may lack. */
export const PARTS = ['kernel', 'initrd', 'init', 'network', 'login', 'ssh', 'sudo'] as const
export type Part = (typeof PARTS)[number]

/** A package and when it is the one to take; what is left out does not matter. */
export type Package = Readonly<{
  name: string
  /** First VERSION_ID of the distribution that has it. */
  since?: string
  /** First VERSION_ID that has it no more. */
  until?: string
  kernel?: KernelFlavour
  init?: InitSystem
  /** Only where systemd is not the init. */
  withoutSystemd?: true
  /** IDs of the family's distributions that have it; all if left out. */
  ids?: readonly string[]
}>

/** What is known of a distribution family: all of it is data, so that one more family is one more file. */
export type Family = Readonly<{
  name: string
  /** Values of ID and ID_LIKE in os-release(5) that belong to it. */
  ids: readonly string[]
  /** The init that its packages bring. */
  init: InitSystem
  /** Path of the package manager, without a leading slash. */
  manager: string
  packages: Readonly<Record<Part, readonly Package[]>>
  /** Shell command that installs the packages; their names are those above, never the image's. */
  install: (packages: string) => string
  /** Shell command before it, where a kernel's package makes an initrd by itself, for the build host; null where none is needed. */
  prepare: string | null
  /** Shell command, on one line, that makes initrds for the kernels without one, with the drivers of any machine. */
  makeInitrds: string
  /** Whether installing a kernel makes no such initrd by itself. */
  initrdsByHand: boolean
  /** Names of kernels in /boot, with the version or flavour in the first group. */
  kernelNames: readonly RegExp[]
  /** Names of an initrd in /boot for that version or flavour. */
  initrdNames: (version: string) => readonly string[]
}>

/** What the choice of packages depends on. */
export type Circumstances = Readonly<{
  /** ID of os-release. */
  id: string
  /** VERSION_ID; empty for what is not released yet or rolls, which is newer than any version. */
  version: string
  kernel: KernelFlavour
  init: InitSystem
}>

/** Names of the packages that bring a part. */
export function packagesFor(family: Family, part: Part, at: Circumstances): string[] {
  const reached = (version: string): boolean => at.version === '' || compareVersions(at.version, version) >= 0
  return family.packages[part]
    .filter(
      ({ since, until, kernel, init, withoutSystemd, ids }) =>
        (since === undefined || reached(since)) &&
        (until === undefined || !reached(until)) &&
        (kernel === undefined || kernel === at.kernel) &&
        (init === undefined || init === at.init) &&
        (withoutSystemd === undefined || at.init !== 'systemd') &&
        (ids === undefined || ids.includes(at.id))
    )
    .map(({ name }) => name)
}

/** Shell commands that install packages for the parts. */
export function installCommands(
  family: Family,
  parts: readonly Part[],
  packages: readonly string[]
): string[] {
  const install = family.install(packages.join(' '))
  const initrd = parts.includes('initrd') || (parts.includes('kernel') && family.initrdsByHand)
  return initrd
    ? [family.prepare, install, family.makeInitrds].filter(command => command !== null)
    : [install]
}

/** The instruction of a Dockerfile that adds a part; `generic` where the family has several kernels. */
export function dockerfileLine(family: Family, part: Part, { id, version }: Distribution): string {
  const packages = packagesFor(family, part, { id, version, kernel: 'generic', init: family.init })
  return `RUN ${installCommands(family, [part], packages).join(' && ')}`
}

/** The drivers of the disks of virtual and physical machines, by module name. */
export const DISK_DRIVERS = [
  'virtio_blk',
  'virtio_pci',
  'virtio_scsi',
  'ahci',
  'sd_mod',
  'nvme',
  'usb_storage',
  'uas',
  'xhci_pci',
  'ext4'
]

/** Each release that has modules, in a shell loop on one line, with `version` for its name. */
export const forEachKernel = (command: string): string =>
  `for modules in /lib/modules/*/modules.dep; do version="$(basename "$(dirname "$modules")")"; ${command}; done`

/**
 * Tells dracut for good (dracut.conf(5)) that the machine is not the one that it sees: kernels' packages call it before
 * {@link dracut} does, and on updates.
 */
export const GENERIC_DRACUT = `mkdir -p /etc/dracut.conf.d && echo 'hostonly="no"' >/etc/dracut.conf.d/90-generic.conf`

/**
 * Makes initrds with dracut, which in a container would choose the drivers of the build host. Only drivers that the kernel
 * has are named: dracut takes another for an error.
 * @param initrd path, with `$version`
 */
export const dracut = (initrd: string): string =>
  forEachKernel(
    [
      `[ -e "${initrd}" ] && continue`,
      'drivers=',
      `for driver in ${DISK_DRIVERS.join(' ')}; do if modinfo -k "$version" "$driver" >/dev/null 2>&1; then drivers="$drivers $driver"; fi; done`,
      `dracut --force --no-hostonly --add-drivers "$drivers" --kver "$version" "${initrd}"`
    ].join('; ')
  )
