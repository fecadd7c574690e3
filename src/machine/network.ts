import { familyOf } from '../distro/families.ts'
import type { InitSystem } from '../distro/init.ts'
import { isInRunlevel, RUNIT_SERVICES } from './consoles.ts'
import type { Draft } from './draft.ts'
import type { MachineFacts } from './facts.ts'
import { findProgram, isBusybox } from './programs.ts'
import { enable, hasUnit, isEnabled, isUsable } from './systemd.ts'
import { NAME_SERVERS, UDHCPC, UDHCPC_LEASE } from './udhcpc.ts'

const INTERFACES = 'etc/network/interfaces'

export const NETWORK_TEXTS = [INTERFACES, 'etc/inittab', 'etc/init.d/rcS'] as const

/** What asks for addresses in the image, by what its own distribution calls it. */
export type Client =
  | 'netplan'
  | 'NetworkManager'
  | 'networkd'
  | 'connman'
  | 'wicked'
  | 'ifupdown'
  | 'ifup'
  | 'dhcpcd'
  | 'udhcpc'

/** Plans how the machine gets its addresses and its name servers. */
export function planNetwork(draft: Draft, facts: MachineFacts): void {
  const client = facts.network === 'none' ? null : chooseClient(draft, facts.init.system)
  if (client !== null && !isConfigured(draft, client)) configure(draft, facts, client)
  if (client !== null) start(draft, facts, client)
  if (facts.network === 'dhcp' && client === null) draft.warn(noClient(facts))
  planResolver(draft, facts, client)
}

function noClient({ distribution, init }: MachineFacts): string {
  if (init.system === 'other')
    return `The network is left alone: ${init.path} is no init that is known. It has to bring the network up itself.`
  const packages: Record<string, string> = {
    Debian: init.system === 'systemd' ? 'systemd-resolved' : 'ifupdown with isc-dhcp-client or dhcpcd-base',
    Ubuntu: 'netplan.io and systemd-resolved',
    Alpine: 'alpine-base',
    Fedora: 'NetworkManager',
    Arch: 'systemd',
    openSUSE: 'NetworkManager'
  }
  const named = packages[familyOf(distribution)?.name ?? ''] ?? 'dhcpcd'
  return (
    'The machine has no network: nothing in the image can ask for an address by DHCP. ' +
    `Install ${named}, or set network to none.`
  )
}

/** A DHCP client that ifupdown runs. */
const dhcpProgram = (draft: Draft): string | null => findProgram(draft, 'dhclient', 'dhcpcd', 'udhcpc')

/** Debian's ifupdown, which knows patterns of names, not what BusyBox or Alpine's ifupdown-ng bring as ifup. */
function hasIfupdown(draft: Draft): boolean {
  const ifup = findProgram(draft, 'ifup')
  const isDebians = ['usr/lib/ifupdown', 'lib/ifupdown'].some(folder => draft.kind(folder) === 'd')
  return ifup !== null && isDebians && !isBusybox(draft, ifup)
}

/**
 * What will ask for addresses; null if nothing can under that init. What is enabled comes before what is only there, and what
 * one installs for it before what comes with systemd.
 */
export function chooseClient(draft: Draft, system: InitSystem): Client | null {
  const canIfupdown = hasIfupdown(draft) && dhcpProgram(draft) !== null
  switch (system) {
    case 'systemd':
      if (findProgram(draft, 'netplan') !== null) return 'netplan'
      if (isUsable(draft, 'NetworkManager.service')) return 'NetworkManager'
      if (isEnabled(draft, 'systemd-networkd.service')) return 'networkd'
      if (isEnabled(draft, 'connman.service')) return 'connman'
      if (isEnabled(draft, 'wicked.service')) return 'wicked'
      if (isEnabled(draft, 'dhcpcd.service')) return 'dhcpcd'
      if (canIfupdown && isUsable(draft, 'networking.service')) return 'ifupdown'
      if (isUsable(draft, 'systemd-networkd.service')) return 'networkd'
      return isUsable(draft, 'dhcpcd.service') ? 'dhcpcd' : null
    case 'openrc':
      if (draft.kind('etc/init.d/dhcpcd') === 'f' && isInRunlevel(draft, 'dhcpcd')) return 'dhcpcd'
      if (draft.kind('etc/init.d/networking') === 'f') {
        if (canIfupdown) return 'ifupdown'
        if (!hasIfupdown(draft) && findProgram(draft, 'ifup') !== null) return 'ifup'
      }
      return draft.kind('etc/init.d/dhcpcd') === 'f' ? 'dhcpcd' : null
    case 'sysvinit':
      if (isInRc(draft, 'dhcpcd')) return 'dhcpcd'
      return canIfupdown ? 'ifupdown' : null
    case 'runit':
      if (draft.entry(`${RUNIT_SERVICES}/dhcpcd`) !== null || isInRc(draft, 'dhcpcd')) return 'dhcpcd'
      if (canIfupdown) return 'ifupdown'
      return draft.kind('etc/sv/dhcpcd/run') === 'f' ? 'dhcpcd' : null
    case 'busybox':
      return findProgram(draft, 'udhcpc') === null ? null : 'udhcpc'
    default:
      return null
  }
}

/** Whether a script of System V init starts at boot. */
const isInRc = (draft: Draft, script: string): boolean =>
  ['S', '2', '3', '4', '5'].some(level =>
    draft.list(`etc/rc${level}.d`).some(name => /^S\d+/.test(name) && name.replace(/^S\d+/, '') === script)
  )

/** Whether the image has a configuration of its user's own, which is then all there is. */
function isConfigured(draft: Draft, client: Client): boolean {
  const holds = (folder: string, names: RegExp): boolean => draft.list(folder).some(name => names.test(name))
  switch (client) {
    case 'netplan':
      return holds('etc/netplan', /\.yaml$/) || holds('etc/systemd/network', /\.network$/)
    case 'networkd':
      return (
        holds('etc/systemd/network', /\.network$/) || holds('usr/local/lib/systemd/network', /\.network$/)
      )
    case 'ifupdown':
    case 'ifup':
      // What a file below interfaces.d says is not read: whoever put one there has planned the network.
      return (
        /^\s*iface\s+(?!lo\s)\S/m.test(draft.text(INTERFACES) ?? '') ||
        holds('etc/network/interfaces.d', /^[^.]/)
      )
    case 'udhcpc':
      return ['etc/inittab', 'etc/init.d/rcS'].some(path =>
        /^[^#\n]*\b(udhcpc|ifup|dhcpcd)\b/m.test(draft.text(path) ?? '')
      )
    default:
      // These ask on every wired interface unless they are told otherwise.
      return true
  }
}

const NETWORKD = `# Written by docker-to-disk: DHCP on the wired interfaces.
[Match]
Name=en* eth*

[Network]
DHCP=yes
`

/** Several ports may be there, and one with an address is a network: wait for any, and not for ever. */
const waitOnline = (program: string): string => `[Service]
ExecStart=
ExecStart=/${program} --any --timeout=30
`

const netplan = (renderer: string): string => `# Written by docker-to-disk: DHCP on the wired interfaces.
network:
  version: 2
  renderer: ${renderer}
  ethernets:
    wired:
      match:
        name: "e*"
      dhcp4: true
      dhcp6: true
`

function configure(draft: Draft, { init }: MachineFacts, client: Client): void {
  switch (client) {
    case 'netplan': {
      const renderer = isUsable(draft, 'systemd-networkd.service') ? 'networkd' : 'NetworkManager'
      // netplan warns of a configuration that others can read, since there may be passwords in it.
      draft.write('etc/netplan/80-dhcp.yaml', netplan(renderer), { mode: 0o600 })
      break
    }
    case 'networkd': {
      draft.write('etc/systemd/network/80-dhcp.network', NETWORKD)
      const waiter = ['usr/lib/systemd', 'lib/systemd']
        .map(folder => `${folder}/systemd-networkd-wait-online`)
        .find(path => draft.kind(path) === 'f')
      const settings = 'etc/systemd/system/systemd-networkd-wait-online.service.d'
      if (waiter !== undefined && draft.list(settings).length === 0)
        draft.write(`${settings}/any.conf`, waitOnline(waiter))
      break
    }
    case 'ifupdown':
      // interfaces(5), "Pattern matching": the first interface whose name starts with en or eth.
      addInterfaces(draft, 'auto /e[nt]*/1=wired\niface wired inet dhcp\n')
      break
    case 'ifup':
      addInterfaces(draft, 'auto eth0\niface eth0 inet dhcp\n')
      break
    case 'udhcpc':
      if (init.system === 'busybox') {
        draft.write(UDHCPC.path, UDHCPC.content, { mode: 0o755 })
        if (draft.kind('usr/share/udhcpc/default.script') !== 'f')
          draft.write(UDHCPC_LEASE.path, UDHCPC_LEASE.content, { mode: 0o755 })
        const inittab = draft.text('etc/inittab') ?? ''
        draft.write('etc/inittab', `${inittab.replace(/\n*$/, '\n')}::respawn:/${UDHCPC.path}\n`)
      }
  }
}

function addInterfaces(draft: Draft, stanza: string): void {
  const present = draft.text(INTERFACES) ?? ''
  const loopback = /^\s*iface\s+lo\s/m.test(present) ? '' : 'auto lo\niface lo inet loopback\n\n'
  const kept = present.trim() === '' ? '' : `${present.replace(/\n*$/, '\n')}\n`
  draft.write(
    INTERFACES,
    `${kept}# Written by docker-to-disk: DHCP on the first wired interface.\n${loopback}${stanza}`
  )
}

/** Sees to it that the client starts at boot. */
function start(draft: Draft, { init }: MachineFacts, client: Client): void {
  if (init.system === 'systemd') startUnit(draft, client)
  if (init.system === 'openrc' && client !== 'udhcpc') {
    const service = client === 'dhcpcd' ? 'dhcpcd' : 'networking'
    if (!isInRunlevel(draft, service))
      draft.link(
        `etc/runlevels/${service === 'networking' ? 'boot' : 'default'}/${service}`,
        `/etc/init.d/${service}`
      )
  }
  if (init.system === 'runit' && client === 'dhcpcd' && !isInRc(draft, 'dhcpcd')) {
    if (draft.entry(`${RUNIT_SERVICES}/dhcpcd`) === null)
      draft.link(`${RUNIT_SERVICES}/dhcpcd`, '/etc/sv/dhcpcd')
  }
}

function startUnit(draft: Draft, client: Client): void {
  const enableUsable = (unit: string, target: string, aliases: readonly string[] = []): void => {
    if (isUsable(draft, unit)) enable(draft, unit, target, aliases)
  }
  switch (client) {
    case 'NetworkManager':
      enableUsable('NetworkManager.service', 'multi-user.target')
      enableUsable('NetworkManager-wait-online.service', 'network-online.target')
      break
    case 'networkd':
      enableUsable('systemd-networkd.service', 'multi-user.target', ['dbus-org.freedesktop.network1.service'])
      enableUsable('systemd-networkd.socket', 'sockets.target')
      enableUsable('systemd-networkd-wait-online.service', 'network-online.target')
      break
    case 'ifupdown':
      enableUsable('networking.service', 'multi-user.target')
      break
    case 'dhcpcd':
      enableUsable('dhcpcd.service', 'multi-user.target')
  }
  // netplan's generator starts its renderer.
}

/** Plans /etc/resolv.conf, whatever the image has there: Docker hides it behind an empty file of its own. */
function planResolver(draft: Draft, { init, network }: MachineFacts, client: Client | null): void {
  const resolved = 'systemd-resolved.service'
  const isNetworkd = client === 'networkd' || client === 'netplan'
  if (init.system === 'systemd' && isUsable(draft, resolved)) {
    if (isNetworkd) enable(draft, resolved, 'multi-user.target', ['dbus-org.freedesktop.resolve1.service'])
    if (isNetworkd || (isEnabled(draft, resolved) && tellsResolved(draft, client))) {
      draft.link('etc/resolv.conf', '../run/systemd/resolve/stub-resolv.conf')
      return
    }
  } else if (isNetworkd && hasUnit(draft, 'systemd-networkd.service')) planNameServers(draft)
  draft.write(
    'etc/resolv.conf',
    network === 'none'
      ? '# Name servers are up to the configuration of the network.\n'
      : '# Filled in by the DHCP client.\n',
    { mode: 0o644 }
  )
}

/**
 * Whether systemd-resolved hears of the name servers. dhclient and dhcpcd tell it by a hook and by resolvconf(8), else they
 * write /etc/resolv.conf, which has to be a plain file then; resolved reads that.
 */
function tellsResolved(draft: Draft, client: Client | null): boolean {
  if (client !== 'ifupdown' && client !== 'dhcpcd') return true
  const isDhclient = client === 'ifupdown' && findProgram(draft, 'dhclient') !== null
  return isDhclient
    ? draft.kind('etc/dhcp/dhclient-enter-hooks.d/resolved') === 'f'
    : findProgram(draft, 'resolvconf') !== null
}

/** systemd-networkd tells resolved alone of the name servers; without it this takes them from where resolved would. */
function planNameServers(draft: Draft): void {
  draft.write(NAME_SERVERS.path, NAME_SERVERS.script, { mode: 0o755 })
  for (const [name, content] of Object.entries(NAME_SERVERS.units)) {
    draft.write(`etc/systemd/system/${name}`, content)
    draft.link(`etc/systemd/system/multi-user.target.wants/${name}`, `../${name}`)
  }
}
