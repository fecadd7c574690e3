import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { type DiskPlan, partuuid } from './disk.ts'
import type { Kernel } from './distro/kernels.ts'
import { type Edit, placeOf } from './edits.ts'
import { ActionError } from './errors.ts'
import type { Host } from './host.ts'
import type { TreeIndex } from './tree.ts'

/** Folder of extlinux and its configuration in the tree. */
const LOADER_FOLDER = 'boot/extlinux'

/**
 * What an image may bring there. extlinux prefers the first to our configuration, and would open the others through a link
 * that leads out to the host, or wait for ever for the other end of a pipe.
 */
const STALE = ['extlinux.conf', 'ldlinux.sys', 'ldlinux.c32', 'extlinux.sys'].map(
  name => `${LOADER_FOLDER}/${name}`
)

/** Code of an MBR may take this much; the disk id and the partition table follow. */
const MBR_CODE_BYTES = 440

/** Where distributions put mbr.bin: Debian, Ubuntu, Alpine and Fedora, Arch. */
export const MBR_PLACES = [
  '/usr/lib/syslinux/mbr/mbr.bin',
  '/usr/lib/EXTLINUX/mbr.bin',
  '/usr/share/syslinux/mbr.bin',
  '/usr/lib/syslinux/bios/mbr.bin'
] as const

/** Where distributions put the loader's modules, and the two that a menu needs. */
export const MODULE_FOLDERS = [
  '/usr/lib/syslinux/modules/bios',
  '/usr/share/syslinux',
  '/usr/lib/syslinux/bios'
]
const MENU_MODULES = ['menu.c32', 'libutil.c32']

/** Seconds that a boot menu waits. */
const MENU_SECONDS = 3

/** The kernel's command line. Without an initrd only the kernel's own notion of a partition, PARTUUID, finds the root. */
export function kernelCommandLine(
  plan: DiskPlan,
  kernel: Kernel,
  { serialConsole, kernelArgs }: { serialConsole: boolean; kernelArgs: string }
): string {
  return [
    kernel.initrd === null ? `root=PARTUUID=${partuuid(plan)}` : `root=UUID=${plan.uuid}`,
    // Alpine's initramfs mounts nothing without it.
    `rootfstype=${plan.filesystem}`,
    // Writable whatever init makes of fstab; the initrd checks the filesystem before it mounts it.
    'rw',
    ...(kernel.initrd === null ? ['rootwait'] : []),
    // The last console is where init writes; both get the kernel's messages.
    'console=tty0',
    ...(serialConsole ? ['console=ttyS0,115200'] : []),
    kernelArgs
  ]
    .filter(Boolean)
    .join(' ')
}

/** Text of syslinux.cfg: one entry a kernel, the first by default, a menu if there are several. */
export function syslinuxConfig(
  entries: readonly { kernel: Kernel; commandLine: string }[],
  options: { serialConsole: boolean; menu: boolean }
): string {
  const several = entries.length > 1
  const lines = [
    ...(options.serialConsole ? ['SERIAL 0 115200'] : []),
    ...(several && options.menu ? ['UI menu.c32', 'MENU TITLE Boot'] : []),
    `DEFAULT ${label(0)}`,
    'PROMPT 0',
    // In tenths of a second.
    ...(several ? [`TIMEOUT ${MENU_SECONDS * 10}`] : [])
  ]
  entries.forEach(({ kernel, commandLine }, i) => {
    lines.push('', `LABEL ${label(i)}`, `  MENU LABEL Linux ${kernel.version}`, `  LINUX /${kernel.path}`)
    if (kernel.initrd !== null) lines.push(`  INITRD /${kernel.initrd}`)
    lines.push(`  APPEND ${commandLine}`)
  })
  return `${lines.join('\n')}\n`
}

const label = (i: number): string => (i === 0 ? 'linux' : `linux-${i}`)

/** Plans the loader's files in the tree. */
export function planLoader(
  index: TreeIndex,
  plan: DiskPlan,
  kernels: readonly Kernel[],
  options: { serialConsole: boolean; kernelArgs: string; moduleFolder: string | null }
): Edit[] {
  for (const path of kernels.flatMap(({ path, initrd }) => (initrd === null ? [path] : [path, initrd]))) {
    // The loader splits its configuration at blanks and knows neither quotes nor other encodings.
    if (!/^[\x21-\x7e]{1,200}$/.test(path)) {
      throw new ActionError(
        `The boot loader cannot name /${JSON.stringify(path)}: rename it without blanks and special characters.`,
        'Unusable kernel name'
      )
    }
  }
  const menu = kernels.length > 1 && options.moduleFolder !== null
  const config = syslinuxConfig(
    kernels.map(kernel => ({ kernel, commandLine: kernelCommandLine(plan, kernel, options) })),
    { serialConsole: options.serialConsole, menu }
  )
  return [
    { kind: 'file', path: `${LOADER_FOLDER}/syslinux.cfg`, content: config, mode: 0o644 },
    ...STALE.filter(path => {
      const real = index.resolve(path, 'keep')
      return real !== null && index.entry(real) !== null
    }).map(path => ({ kind: 'remove' as const, path })),
    ...(menu
      ? MENU_MODULES.map(name => ({
          kind: 'file' as const,
          path: `${LOADER_FOLDER}/${name}`,
          content: readFileSync(`${options.moduleFolder}/${name}`),
          mode: 0o644
        }))
      : [])
  ]
}

/** Installs extlinux into the mounted filesystem, whose loader folder exists by then. */
export async function installLoader(host: Host, index: TreeIndex, mountPoint: string): Promise<void> {
  const { real } = placeOf(index, `${LOADER_FOLDER}/syslinux.cfg`)
  const folder = `${mountPoint}/${real.slice(0, real.lastIndexOf('/'))}`
  await host.runAsRoot(['extlinux', '--install', folder], { timeout: 120_000 })
}

/** Puts the code that starts the active partition into the disk's first sector, in front of its disk id and table. */
export function writeBootCode(diskPath: string, mbrPath: string): void {
  const code = readFileSync(mbrPath)
  if (code.length === 0 || code.length > MBR_CODE_BYTES) {
    throw new ActionError(
      `${mbrPath} is no MBR code: it has ${code.length} bytes, and 1 to ${MBR_CODE_BYTES} fit.`
    )
  }
  const disk = openSync(diskPath, 'r+')
  try {
    writeSync(disk, code, 0, code.length, 0)
  } finally {
    closeSync(disk)
  }
}
