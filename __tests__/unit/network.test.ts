import { execFileSync } from 'node:child_process'
import type { Init, InitSystem } from '../../src/distro/init.ts'
import type { Draft } from '../../src/machine/draft.ts'
import { planNetwork } from '../../src/machine/network.ts'
import { NAME_SERVERS, UDHCPC, UDHCPC_LEASE } from '../../src/machine/udhcpc.ts'
import { plainFacts, sketchDraft, type TreeSketch } from '../support/tree.ts'

function plan(system: InitSystem, tree: TreeSketch, network: 'dhcp' | 'none' = 'dhcp', id = 'debian'): Draft {
  const draft = sketchDraft(tree)
  const init: Init = {
    path: '/sbin/init',
    program: system === 'busybox' ? 'bin/busybox' : 'sbin/init',
    system
  }
  const distribution = { ...plainFacts().distribution, id }
  planNetwork(draft, { ...plainFacts(), init, network, distribution })
  return draft
}

/** Each edit as a line, links with their targets, but for resolv.conf. */
const edits = (draft: Draft): string[] =>
  draft.edits
    .filter(edit => edit.path !== 'etc/resolv.conf')
    .map(edit => (edit.kind === 'link' ? `${edit.path} -> ${edit.target}` : `${edit.kind} ${edit.path}`))
const content = (draft: Draft, path: string): unknown => {
  const edit = draft.edits.find(edit => edit.path === path)
  return edit?.kind === 'file' ? edit.content : edit
}
const resolver = (draft: Draft): unknown => {
  const edit = draft.edits.find(edit => edit.path === 'etc/resolv.conf')
  return edit?.kind === 'link' ? edit.target : edit?.kind === 'file' && edit.content
}

const STUB = '../run/systemd/resolve/stub-resolv.conf'
const BY_CLIENT = '# Filled in by the DHCP client.\n'
const UNITS = 'usr/lib/systemd/system'
const ETC = 'etc/systemd/system'
const unit = (name: string): TreeSketch => ({ [`${UNITS}/${name}.service`]: 9 })
const enabled = (name: string): TreeSketch => ({
  ...unit(name),
  [`${ETC}/multi-user.target.wants/${name}.service`]: `-> /${UNITS}/${name}.service`
})
const NETWORKD: TreeSketch = {
  ...unit('systemd-networkd'),
  ...unit('systemd-networkd-wait-online'),
  [`${UNITS}/systemd-networkd.socket`]: 9,
  'usr/lib/systemd/systemd-networkd-wait-online': 9
}
const RESOLVED = unit('systemd-resolved')
const IFUPDOWN: TreeSketch = {
  'usr/lib/ifupdown/wait-online.sh': 9,
  'sbin/ifup': 9,
  'sbin/dhclient': 9,
  'etc/init.d/networking': 9,
  'etc/network/interfaces': '# interfaces(5)\nsource /etc/network/interfaces.d/*\n'
}
const NETWORKD_EDITS = [
  'file etc/systemd/network/80-dhcp.network',
  `file ${ETC}/systemd-networkd-wait-online.service.d/any.conf`,
  `${ETC}/multi-user.target.wants/systemd-networkd.service -> /${UNITS}/systemd-networkd.service`,
  `${ETC}/dbus-org.freedesktop.network1.service -> /${UNITS}/systemd-networkd.service`,
  `${ETC}/sockets.target.wants/systemd-networkd.socket -> /${UNITS}/systemd-networkd.socket`,
  `${ETC}/network-online.target.wants/systemd-networkd-wait-online.service -> /${UNITS}/systemd-networkd-wait-online.service`
]
const RESOLVED_EDITS = [
  `${ETC}/multi-user.target.wants/systemd-resolved.service -> /${UNITS}/systemd-resolved.service`,
  `${ETC}/dbus-org.freedesktop.resolve1.service -> /${UNITS}/systemd-resolved.service`
]
const NAME_SERVER_EDITS = [
  'file usr/lib/docker-to-disk/name-servers',
  `file ${ETC}/network-name-servers.path`,
  `${ETC}/multi-user.target.wants/network-name-servers.path -> ../network-name-servers.path`,
  `file ${ETC}/network-name-servers.service`,
  `${ETC}/multi-user.target.wants/network-name-servers.service -> ../network-name-servers.service`
]

describe('systemd', () => {
  test.each<[string, TreeSketch, string[], string]>([
    ['networkd and resolved', { ...NETWORKD, ...RESOLVED }, [...NETWORKD_EDITS, ...RESOLVED_EDITS], STUB],
    ['networkd without resolved', NETWORKD, [...NETWORKD_EDITS, ...NAME_SERVER_EDITS], BY_CLIENT],
    [
      'networkd, resolved masked',
      { ...NETWORKD, ...RESOLVED, [`${ETC}/systemd-resolved.service`]: '-> /dev/null' },
      [...NETWORKD_EDITS, ...NAME_SERVER_EDITS],
      BY_CLIENT
    ],
    [
      'networkd as the user set it up',
      {
        ...enabled('systemd-networkd'),
        ...enabled('systemd-resolved'),
        'etc/systemd/network/20-lan.network': '[Match]\n'
      },
      [],
      STUB
    ],
    [
      'a setting of the waiter',
      {
        ...enabled('systemd-networkd'),
        ...enabled('systemd-networkd-wait-online'),
        ...enabled('systemd-resolved'),
        'usr/lib/systemd/systemd-networkd-wait-online': 9,
        [`${ETC}/systemd-networkd-wait-online.service.d/mine.conf`]: '[Service]\n'
      },
      ['file etc/systemd/network/80-dhcp.network'],
      STUB
    ],
    ['NetworkManager, enabled', { ...NETWORKD, ...enabled('NetworkManager') }, [], BY_CLIENT],
    [
      'NetworkManager with resolved',
      { ...unit('NetworkManager'), ...enabled('systemd-resolved') },
      [`${ETC}/multi-user.target.wants/NetworkManager.service -> /${UNITS}/NetworkManager.service`],
      STUB
    ],
    ['NetworkManager, resolved not enabled', { ...enabled('NetworkManager'), ...RESOLVED }, [], BY_CLIENT],
    [
      'NetworkManager masked',
      {
        ...NETWORKD,
        ...RESOLVED,
        ...unit('NetworkManager'),
        [`${ETC}/NetworkManager.service`]: '-> /dev/null'
      },
      [...NETWORKD_EDITS, ...RESOLVED_EDITS],
      STUB
    ],
    [
      'netplan',
      { ...NETWORKD, ...RESOLVED, 'usr/sbin/netplan': 9 },
      ['file etc/netplan/80-dhcp.yaml', ...RESOLVED_EDITS],
      STUB
    ],
    [
      'netplan as the user set it up',
      {
        ...NETWORKD,
        ...enabled('systemd-resolved'),
        'usr/sbin/netplan': 9,
        'etc/netplan/50-mine.yaml': 'network:\n'
      },
      [],
      STUB
    ],
    [
      'ifupdown before what comes with systemd',
      { ...NETWORKD, ...RESOLVED, ...IFUPDOWN, ...enabled('networking') },
      ['file etc/network/interfaces'],
      BY_CLIENT
    ],
    [
      'ifupdown, not enabled',
      { ...IFUPDOWN, ...unit('networking') },
      [
        'file etc/network/interfaces',
        `${ETC}/multi-user.target.wants/networking.service -> /${UNITS}/networking.service`
      ],
      BY_CLIENT
    ],
    [
      'ifupdown whose dhclient tells resolved',
      {
        ...IFUPDOWN,
        ...enabled('networking'),
        ...enabled('systemd-resolved'),
        'etc/dhcp/dhclient-enter-hooks.d/resolved': 9
      },
      ['file etc/network/interfaces'],
      STUB
    ],
    [
      'ifupdown with dhcpcd, which tells resolved by resolvconf',
      {
        ...IFUPDOWN,
        'sbin/dhclient': null,
        'usr/sbin/dhcpcd': 9,
        'usr/sbin/resolvconf': '-> /usr/bin/resolvectl',
        'usr/bin/resolvectl': 9,
        ...enabled('networking'),
        ...enabled('systemd-resolved')
      },
      ['file etc/network/interfaces'],
      STUB
    ],
    [
      'ifupdown without a DHCP client',
      { ...IFUPDOWN, 'sbin/dhclient': null, ...enabled('networking'), ...NETWORKD, ...RESOLVED },
      [...NETWORKD_EDITS, ...RESOLVED_EDITS],
      STUB
    ],
    ['dhcpcd', { ...NETWORKD, ...enabled('dhcpcd') }, [], BY_CLIENT]
  ])('%s', (_, tree, expected, resolv) => {
    const draft = plan('systemd', tree)
    expect(edits(draft)).toEqual(expected)
    expect(resolver(draft)).toBe(resolv)
    expect(draft.warnings).toEqual([])
  })

  test('what is written', () => {
    const networkd = plan('systemd', NETWORKD)
    expect(content(networkd, 'etc/systemd/network/80-dhcp.network')).toContain(
      '[Match]\nName=en* eth*\n\n[Network]\nDHCP=yes\n'
    )
    expect(content(networkd, `${ETC}/systemd-networkd-wait-online.service.d/any.conf`)).toBe(
      '[Service]\nExecStart=\nExecStart=/usr/lib/systemd/systemd-networkd-wait-online --any --timeout=30\n'
    )
    const netplan = plan('systemd', { ...NETWORKD, 'usr/sbin/netplan': 9 })
    expect(netplan.edits).toContainEqual(
      expect.objectContaining({
        path: 'etc/netplan/80-dhcp.yaml',
        mode: 0o600,
        content: expect.stringContaining('renderer: networkd\n')
      })
    )
    expect(content(plan('systemd', { 'usr/sbin/netplan': 9 }), 'etc/netplan/80-dhcp.yaml')).toContain(
      'renderer: NetworkManager\n'
    )
  })
})

describe('interfaces', () => {
  const WIRED = 'auto /e[nt]*/1=wired\niface wired inet dhcp\n'
  const LOOPBACK = 'auto lo\niface lo inet loopback\n\n'
  const SAID = '# Written by docker-to-disk: DHCP on the first wired interface.\n'
  test.each<[string, TreeSketch, string | undefined]>([
    ["Debian's own", {}, `# interfaces(5)\nsource /etc/network/interfaces.d/*\n\n${SAID}${LOOPBACK}${WIRED}`],
    ['none', { 'etc/network/interfaces': null }, `${SAID}${LOOPBACK}${WIRED}`],
    [
      'the loopback alone',
      { 'etc/network/interfaces': 'auto lo\niface lo inet loopback' },
      `auto lo\niface lo inet loopback\n\n${SAID}${WIRED}`
    ],
    ['one of the user', { 'etc/network/interfaces': 'auto eth0\n  iface eth0 inet static\n' }, undefined],
    ['a file of the user', { 'etc/network/interfaces.d/lan': 'auto eth0\n' }, undefined]
  ])('%s', (_, tree, expected) => {
    for (const system of ['sysvinit', 'runit'] as const) {
      expect(content(plan(system, { ...IFUPDOWN, ...tree }), 'etc/network/interfaces')).toBe(expected)
    }
  })
  test('left alone where dhcpcd is started by its own script', () => {
    const tree = { ...IFUPDOWN, 'usr/sbin/dhcpcd': 9, 'etc/rc2.d/S02dhcpcd': '-> ../init.d/dhcpcd' }
    expect(edits(plan('sysvinit', tree))).toEqual([])
  })
})

describe('OpenRC', () => {
  const ALPINE = { 'sbin/ifup': '-> /bin/busybox', 'bin/busybox': 9, 'etc/init.d/networking': 9 }
  test("Alpine's ifup, which knows no patterns", () => {
    const draft = plan('openrc', ALPINE)
    expect(edits(draft)).toEqual([
      'file etc/network/interfaces',
      'etc/runlevels/boot/networking -> /etc/init.d/networking'
    ])
    expect(content(draft, 'etc/network/interfaces')).toContain(
      'auto lo\niface lo inet loopback\n\nauto eth0\niface eth0 inet dhcp\n'
    )
    expect(resolver(draft)).toBe(BY_CLIENT)
  })
  test.each<[string, TreeSketch, string[]]>([
    [
      'started already',
      { ...ALPINE, 'etc/runlevels/default/networking': '-> x' },
      ['file etc/network/interfaces']
    ],
    [
      'as the user set it up',
      { ...ALPINE, 'etc/network/interfaces': 'iface eth1 inet dhcp\n' },
      ['etc/runlevels/boot/networking -> /etc/init.d/networking']
    ],
    ['Debian', { ...IFUPDOWN, 'etc/runlevels/sysinit/networking': '-> x' }, ['file etc/network/interfaces']],
    ['dhcpcd', { ...ALPINE, 'etc/init.d/dhcpcd': 9, 'etc/runlevels/default/dhcpcd': '-> x' }, []],
    ['dhcpcd alone', { 'etc/init.d/dhcpcd': 9 }, ['etc/runlevels/default/dhcpcd -> /etc/init.d/dhcpcd']]
  ])('%s', (_, tree, expected) => {
    expect(edits(plan('openrc', tree))).toEqual(expected)
  })
})

describe('BusyBox', () => {
  const TREE = {
    'sbin/udhcpc': '-> /bin/busybox',
    'bin/busybox': 9,
    'etc/inittab': 'tty1::askfirst:-/bin/sh'
  }
  test('udhcpc under its init', () => {
    const draft = plan('busybox', { ...TREE, 'usr/share/udhcpc/default.script': 9 })
    expect(edits(draft)).toEqual([`file ${UDHCPC.path}`, 'file etc/inittab'])
    expect(content(draft, 'etc/inittab')).toBe(`tty1::askfirst:-/bin/sh\n::respawn:/${UDHCPC.path}\n`)
  })
  test('without a script for its leases', () => {
    expect(edits(plan('busybox', TREE))).toContain(`file ${UDHCPC_LEASE.path}`)
  })
  test.each(['::respawn:udhcpc -f\n', '::sysinit:/sbin/ifup -a\n'])('left alone: %j', inittab => {
    expect(edits(plan('busybox', { ...TREE, 'etc/inittab': inittab }))).toEqual([])
  })
  test('an ifup in a comment is none', () => {
    expect(edits(plan('busybox', { ...TREE, 'etc/init.d/rcS': '# no ifup here\n' }))).toContain(
      'file etc/inittab'
    )
  })
})

test.each<[InitSystem, string, string]>([
  ['systemd', 'debian', 'Install systemd-resolved'],
  ['sysvinit', 'debian', 'Install ifupdown with isc-dhcp-client or dhcpcd-base'],
  ['openrc', 'alpine', 'Install alpine-base'],
  ['runit', 'void', 'Install dhcpcd'],
  ['other', 'debian', '/sbin/init is no init that is known']
])('without a client under %s on %s: %s', (system, id, words) => {
  const draft = plan(system, {}, 'dhcp', id)
  expect(edits(draft)).toEqual([])
  expect(draft.warnings).toEqual([expect.stringContaining(words)])
})

test.each<[InitSystem, TreeSketch, unknown]>([
  ['systemd', { ...NETWORKD, ...RESOLVED }, expect.stringMatching(/^#/)],
  ['systemd', { ...NETWORKD, ...enabled('systemd-resolved') }, STUB],
  ['sysvinit', IFUPDOWN, expect.stringMatching(/^#/)],
  ['other', {}, expect.stringMatching(/^#/)]
])('no network wanted under %s', (system, tree, resolv) => {
  const draft = plan(system, tree, 'none')
  expect(edits(draft)).toEqual([])
  expect(draft.warnings).toEqual([])
  expect(resolver(draft)).toEqual(resolv)
})

test.each([UDHCPC.content, UDHCPC_LEASE.content, NAME_SERVERS.script])(
  'a POSIX shell reads it (%#)',
  script => {
    execFileSync('sh', ['-n'], { input: script })
  }
)
