import { compareVersions } from '../text.ts'
import type { TreeIndex } from '../tree.ts'
import { FAMILIES } from './families.ts'

/** A kernel in the tree and what belongs to it. Paths are real paths without a leading slash. */
export type Kernel = Readonly<{
  path: string
  /** Release such as `6.1.0-28-amd64`; the file's own suffix, such as `virt`, where no module folder tells more. */
  version: string
  initrd: string | null
}>

/** Names of kernels in /boot, with the version or flavour in the first group: those of the families, and of kernels built by hand. */
const KERNEL_NAMES: readonly RegExp[] = [
  ...FAMILIES.flatMap(family => family.kernelNames),
  /^vmlinuz-(.+)$/,
  /^kernel-(.+)$/, // Gentoo
  /^vmlinuz()$/,
  /^bzImage()$/
]

/** Names of an initrd for a kernel of that version, flavour or package; the first that exists is taken. */
const initrdNames = (version: string): string[] =>
  version === ''
    ? ['initrd.img', 'initrd', 'initramfs.img', 'initramfs']
    : [...new Set(FAMILIES.flatMap(family => family.initrdNames(version)))]

/** Never the kernel to boot: rescue images that installers write, and files beside a kernel. */
const NOT_A_KERNEL = /rescue|\.(hmac|old|sig|config|bak)$|^0-/

/** Places looked at, for messages. */
export const KERNEL_PLACES = ['/boot/vmlinuz-*', '/boot/*/*/linux', '/vmlinuz', '/usr/lib/modules/*/vmlinuz']

/** All kernels in the tree, newest first by version; each real file once. */
export function findKernels(index: TreeIndex): Kernel[] {
  const kernels = new Map<string, Kernel>()
  const add = (path: string, version: string, initrds: readonly string[]): void => {
    const real = fileAt(index, path)
    if (real === null || kernels.has(real)) return
    const initrd = initrds.map(candidate => fileAt(index, candidate)).find(found => found !== null) ?? null
    kernels.set(real, { path: real, version: fullVersion(index, version), initrd })
  }

  const bootNames = index.list('boot')
  // Files before links: a link such as /boot/vmlinuz is another name of a kernel whose own name tells the version.
  const isLink = (name: string): boolean =>
    index.entry(index.resolve(`boot/${name}`, 'keep') ?? '')?.kind === 'l'
  for (const name of [...bootNames].sort((a, b) => Number(isLink(a)) - Number(isLink(b)))) {
    const version = NOT_A_KERNEL.test(name)
      ? undefined
      : KERNEL_NAMES.map(shape => shape.exec(name)?.[1]).find(found => found !== undefined)
    if (version === undefined) continue
    const suffix = versionOfTarget(index, `boot/${name}`, version)
    add(
      `boot/${name}`,
      suffix,
      [...initrdNames(suffix), ...(isLink(name) ? initrdNames('') : [])].map(initrd => `boot/${initrd}`)
    )
  }
  // Boot Loader Specification, type 1: /boot/MACHINE-ID/VERSION/linux.
  for (const machine of bootNames.filter(name => /^[0-9a-f]{32}$/.test(name))) {
    for (const version of index.list(`boot/${machine}`)) {
      const folder = `boot/${machine}/${version}`
      const elsewhere = initrdNames(version).map(name => `boot/${name}`)
      add(`${folder}/linux`, version, [`${folder}/initrd`, `${folder}/initrd.img`, ...elsewhere])
    }
  }
  add('vmlinuz', versionOfTarget(index, 'vmlinuz', ''), ['initrd.img', 'boot/initrd.img'])
  const known = new Set([...kernels.values()].map(kernel => kernel.version))
  for (const version of moduleVersions(index)) {
    // The same kernel often lies here and in /boot: the one in /boot is the one with the initrd.
    if (known.has(version)) continue
    const folder = `usr/lib/modules/${version}`
    const place = index.kind(folder) === 'd' ? folder : `lib/modules/${version}`
    const initrds = [
      ...initrdNames(version).map(name => `boot/${name}`),
      `${place}/initrd`,
      `${place}/initramfs.img`
    ]
    add(`${place}/vmlinuz`, version, initrds)
  }
  return [...kernels.values()].sort((a, b) => compareVersions(b.version, a.version))
}

/** Releases that have a folder of modules. */
const moduleVersions = (index: TreeIndex): string[] => [
  ...new Set(
    [...index.list('usr/lib/modules'), ...index.list('lib/modules')].filter(name => /^\d/.test(name))
  )
]

/** Real path of the regular file that a path leads to, or null. */
function fileAt(index: TreeIndex, path: string): string | null {
  const real = index.resolve(path)
  return real !== null && index.entry(real)?.kind === 'f' ? real : null
}

/** A link without a version in its own name, such as /vmlinuz, has that of the file it leads to. */
function versionOfTarget(index: TreeIndex, path: string, version: string): string {
  if (version !== '') return version
  const target = index.resolve(path)?.split('/').pop() ?? ''
  return /^vmlinuz-(.+)$/.exec(target)?.[1] ?? ''
}

/** Alpine and Arch name files by flavour (`virt`, `linux`): the one module folder that fits tells the release. */
function fullVersion(index: TreeIndex, version: string): string {
  if (/^\d/.test(version)) return version
  const all = moduleVersions(index)
  const fitting = all.filter(candidate => candidate.endsWith(`-${version}`))
  if (fitting.length === 1) return fitting[0] ?? version
  return all.length === 1 ? (all[0] ?? version) : version
}
