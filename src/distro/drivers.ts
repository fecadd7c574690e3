import type { Container } from '../container.ts'
import type { TreeIndex } from '../tree.ts'
import { DISK_BUSES, DISK_DRIVERS, type Drivers } from './disk-buses.ts'
import type { Kernel } from './kernels.ts'

/** Largest modules.builtin that is read, in bytes; that of a distribution has about 40 KiB. */
const LARGEST_LIST = 1 << 20

/** Finds out which drivers a kernel has. What is built in stands in modules.builtin (kernel documentation, kbuild.rst). */
export async function readDrivers(
  { index, read }: Pick<Container, 'index' | 'read'>,
  { version, initrd }: Pick<Kernel, 'version' | 'initrd'>
): Promise<Drivers> {
  const folder = ['lib/modules', 'usr/lib/modules']
    .map(parent => index.resolve(`${parent}/${version}`))
    .find(real => real !== null)
  if (folder === undefined || version === '') return null
  const list = index.resolve(`${folder}/modules.builtin`)
  const text = list === null ? null : await read(list, LARGEST_LIST)
  if (text === null) return null
  const builtIn = new Set(text.toString('latin1').split('\n').map(moduleOf))
  const all = new Set([...builtIn, ...filesBelow(index, folder).map(moduleOf)])
  return { early: initrd === null ? builtIn : all, all }
}

/** Says what the drivers leave out that mounting the root filesystem needs, or null if nothing. */
export function missingForRoot(drivers: Drivers, filesystem: string): string | null {
  if (drivers === null) return null
  const has = (name: string): boolean => drivers.early.has(name)
  const missing = [
    // The driver ext4 reads ext3 and ext2 as well.
    ...(has('ext4') || has(filesystem) ? [] : [`the filesystem (${filesystem})`]),
    ...(DISK_BUSES.some(bus => DISK_DRIVERS[bus].every(has)) ? [] : [`any disk (${DISK_BUSES.join(', ')})`])
  ]
  return missing.length === 0 ? null : missing.join(' and ')
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
