import type { TreeIndex } from '../tree.ts'
import type { InitSystem } from './init.ts'

/** Folders of programs, in the order in which a shell would look there. */
const FOLDERS = ['usr/local/sbin', 'usr/local/bin', 'usr/sbin', 'usr/bin', 'sbin', 'bin']

/** Whether the tree has the program, be it by a link to one for many names. */
export const hasProgram = (index: TreeIndex, name: string): boolean =>
  FOLDERS.some(folder => index.kind(`${folder}/${name}`) === 'f')

/** What asks for an address by DHCP in the tree as it is, by its own name; null if nothing does under that init. */
export function findNetworkClient(index: TreeIndex, init: InitSystem): string | null {
  const has = (...names: string[]): boolean => names.every(name => hasProgram(index, name))
  const networkd = ['usr/lib/systemd/systemd-networkd', 'lib/systemd/systemd-networkd'].some(
    path => index.kind(path) === 'f'
  )
  if (init === 'systemd' && networkd) return 'systemd-networkd'
  if (has('NetworkManager')) return 'NetworkManager'
  if (has('connmand')) return 'connman'
  const client = ['dhclient', 'dhcpcd', 'udhcpc'].find(name => has(name))
  if (client === undefined) return null
  if (has('ifup')) return `ifupdown with ${client}`
  // dhcpcd comes with a service of its own; BusyBox' client is started from inittab.
  return client === 'dhcpcd' || (client === 'udhcpc' && init !== 'systemd') ? client : null
}
