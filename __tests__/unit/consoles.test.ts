import { execFileSync } from 'node:child_process'
import type { Init, InitSystem } from '../../src/distro/init.ts'
import { planConsoles } from '../../src/machine/consoles.ts'
import type { Draft } from '../../src/machine/draft.ts'
import { BOOT_SCRIPT } from '../../src/machine/inittab.ts'
import { plainFacts, sketchDraft, type TreeSketch } from '../support/tree.ts'

const INITS: Record<string, Init> = {
  systemd: { path: '/sbin/init', program: 'usr/lib/systemd/systemd', system: 'systemd' },
  sysvinit: { path: '/sbin/init', program: 'sbin/init', system: 'sysvinit' },
  'sysvinit with openrc': { path: '/sbin/init', program: 'sbin/init', system: 'openrc' },
  'openrc-init': { path: '/sbin/init', program: 'sbin/openrc-init', system: 'openrc' },
  runit: { path: '/sbin/init', program: 'usr/lib/runit/runit-init', system: 'runit' },
  busybox: { path: '/sbin/init', program: 'bin/busybox', system: 'busybox' },
  'busybox with openrc': { path: '/sbin/init', program: 'bin/busybox', system: 'openrc' },
  other: { path: '/sbin/init', program: 'sbin/init', system: 'other' satisfies InitSystem }
}

const LOGIN = { 'sbin/getty': '-> agetty', 'sbin/agetty': 9, 'bin/login': 9 }

function plan(init: string, tree: TreeSketch, serialConsole = true): Draft {
  const draft = sketchDraft({ ...LOGIN, ...tree })
  planConsoles(draft, { ...plainFacts(), init: INITS[init] as Init, serialConsole })
  return draft
}

/** Each edit as a line: links with their targets, the rest by path. */
const edits = (draft: Draft): string[] =>
  draft.edits.map(edit =>
    edit.kind === 'link' ? `${edit.path} -> ${edit.target}` : `${edit.kind} ${edit.path}`
  )
const content = (draft: Draft, path: string): unknown => {
  const edit = draft.edits.find(edit => edit.path === path)
  return edit?.kind === 'file' ? edit.content : edit
}

const DEBIAN_INITTAB = `id:2:initdefault:
si::sysinit:/etc/init.d/rcS
l2:2:wait:/etc/init.d/rc 2
1:2345:respawn:/sbin/getty --noclear 38400 tty1
2:23:respawn:/sbin/getty 38400 tty2
#T0:23:respawn:/sbin/getty -L ttyS0 9600 vt100
`

const ALPINE_INITTAB = `# /etc/inittab

::sysinit:/sbin/openrc sysinit
::sysinit:/sbin/openrc boot
::wait:/sbin/openrc default

# Set up a couple of getty's
tty1::respawn:/sbin/getty 38400 tty1

# Put a getty on the serial port
#ttyS0::respawn:/sbin/getty -L 115200 ttyS0 vt100

::ctrlaltdel:/sbin/reboot
::shutdown:/sbin/openrc shutdown
`

const SERIAL_SYSV = 'S0:2345:respawn:/sbin/getty -L 115200 ttyS0 vt100\n'
const SERIAL_BUSYBOX = 'ttyS0::respawn:/sbin/getty -L 115200 ttyS0 vt100\n'

describe('inittab', () => {
  test.each<[string, string, TreeSketch, unknown]>([
    ['Debian', 'sysvinit', { 'etc/inittab': DEBIAN_INITTAB }, DEBIAN_INITTAB + SERIAL_SYSV],
    [
      'Debian with OpenRC',
      'sysvinit with openrc',
      { 'etc/inittab': DEBIAN_INITTAB },
      DEBIAN_INITTAB + SERIAL_SYSV
    ],
    [
      'without a getty on tty1, ids taken',
      'sysvinit',
      { 'etc/inittab': '1:2:wait:/etc/init.d/rc 2\nS0:2:once:/bin/true' },
      '1:2:wait:/etc/init.d/rc 2\nS0:2:once:/bin/true\n' +
        'tty1:2345:respawn:/sbin/getty 38400 tty1\nT0:2345:respawn:/sbin/getty -L 115200 ttyS0 vt100\n'
    ],
    [
      'a serial prompt of its own',
      'sysvinit',
      { 'etc/inittab': `${DEBIAN_INITTAB}T0:23:respawn:/sbin/mgetty ttyS0\n` },
      undefined
    ],
    [
      'by path',
      'sysvinit',
      { 'etc/inittab': `${DEBIAN_INITTAB}s:23:respawn:/sbin/agetty /dev/ttyS0 9600\n` },
      undefined
    ],
    ['sysvinit without one', 'sysvinit', {}, undefined],
    [
      'Alpine with OpenRC',
      'busybox with openrc',
      { 'etc/inittab': ALPINE_INITTAB, 'sbin/openrc': 9, 'etc/runlevels/sysinit/devfs': '-> x' },
      ALPINE_INITTAB + SERIAL_BUSYBOX
    ],
    [
      "BusyBox' with a shell on the console",
      'busybox',
      { 'etc/inittab': '::sysinit:mount -a\ntty1::askfirst:-/bin/sh\n::askfirst:-/bin/sh\n' },
      undefined
    ],
    [
      'a service run by a shell is no prompt',
      'busybox',
      { 'etc/inittab': '::sysinit:mount -a\ntty1::askfirst:-/bin/sh\n::respawn:/bin/sh /run.sh\n' },
      `::sysinit:mount -a\ntty1::askfirst:-/bin/sh\n::respawn:/bin/sh /run.sh\n${SERIAL_BUSYBOX}`
    ]
  ])('%s', (_, init, tree, expected) => {
    expect(content(plan(init, tree), 'etc/inittab')).toEqual(expected)
  })

  test('nothing on the serial port if it is no console', () => {
    expect(
      edits(plan('sysvinit', { 'etc/inittab': DEBIAN_INITTAB, 'etc/securetty': 'tty1\n' }, false))
    ).toEqual([])
  })

  test("Alpine's own, which calls OpenRC, where there is none", () => {
    const draft = plan('busybox', { 'etc/inittab': ALPINE_INITTAB, 'sbin/reboot': 9 })
    const inittab = String(content(draft, 'etc/inittab'))
    expect(inittab).not.toContain('/sbin/openrc')
    expect(inittab).toContain(
      `::ctrlaltdel:/sbin/reboot\n::sysinit:/${BOOT_SCRIPT.path}\n::shutdown:umount -a -r\n${SERIAL_BUSYBOX}`
    )
    expect(draft.edits).toContainEqual(
      expect.objectContaining({ path: BOOT_SCRIPT.path, content: BOOT_SCRIPT.content, mode: 0o755 })
    )
  })

  test.each<[string, string, TreeSketch, string]>([
    [
      'BusyBox',
      'busybox',
      {},
      `::sysinit:/${BOOT_SCRIPT.path}\n::ctrlaltdel:reboot\n::shutdown:umount -a -r\n`
    ],
    [
      'BusyBox with rcS',
      'busybox',
      { 'etc/init.d/rcS': '#!/bin/sh\n' },
      `::sysinit:/${BOOT_SCRIPT.path}\n::sysinit:/etc/init.d/rcS\n::ctrlaltdel:reboot\n::shutdown:umount -a -r\n`
    ],
    [
      'BusyBox with OpenRC',
      'busybox with openrc',
      { 'sbin/openrc': 9 },
      '::sysinit:/sbin/openrc sysinit\n::sysinit:/sbin/openrc boot\n::wait:/sbin/openrc default\n' +
        '::ctrlaltdel:reboot\n::shutdown:/sbin/openrc shutdown\n'
    ]
  ])('%s without one', (_, init, tree, start) => {
    expect(content(plan(init, tree), 'etc/inittab')).toBe(
      `${start}tty1::respawn:/sbin/getty 38400 tty1\n${SERIAL_BUSYBOX}`
    )
  })

  test('what is written is there to stay: planning again changes nothing', () => {
    for (const [init, inittab] of [
      ['sysvinit', DEBIAN_INITTAB],
      ['busybox', ALPINE_INITTAB],
      ['busybox', '']
    ] as const) {
      const draft = plan(init, { 'etc/inittab': inittab })
      const again = plan(init, {
        'etc/inittab': String(content(draft, 'etc/inittab')),
        [BOOT_SCRIPT.path]: BOOT_SCRIPT.content
      })
      expect(edits(again)).toEqual([])
    }
  })
})

test.each([
  ['tty1\n', 'tty1\nttyS0\n'],
  ['tty1', 'tty1\nttyS0\n'],
  ['tty1\nttyS0\n', undefined],
  ['#ttyS0\nttyS01\n', '#ttyS0\nttyS01\nttyS0\n']
])('securetty %j', (present, expected) => {
  expect(
    content(plan('sysvinit', { 'etc/inittab': DEBIAN_INITTAB, 'etc/securetty': present }), 'etc/securetty')
  ).toBe(expected)
})

describe('systemd', () => {
  const UNITS = 'usr/lib/systemd/system'
  const FOUND = {
    [`${UNITS}/getty@.service`]: 9,
    [`${UNITS}/getty.target`]: 9,
    [`${UNITS}/multi-user.target.wants/getty.target`]: '-> ../getty.target',
    'etc/systemd/system/getty.target.wants/getty@tty1.service': '-> /lib/systemd/system/getty@.service'
  }
  test('as its packages leave it', () => {
    expect(edits(plan('systemd', FOUND))).toEqual([])
  })
  test.each<[string, TreeSketch, string[]]>([
    [
      'no prompt on tty1',
      { [`${UNITS}/getty@.service`]: 9 },
      [`etc/systemd/system/getty.target.wants/getty@tty1.service -> /${UNITS}/getty@.service`]
    ],
    [
      'no prompt on tty1, without a merged /usr',
      { 'lib/systemd/system/getty@.service': 9 },
      ['etc/systemd/system/getty.target.wants/getty@tty1.service -> /lib/systemd/system/getty@.service']
    ],
    [
      'a mask of the user',
      { [`${UNITS}/getty@.service`]: 9, 'etc/systemd/system/getty@tty1.service': '-> /dev/null' },
      []
    ],
    [
      'masks for containers, by links and empty files',
      {
        ...FOUND,
        'etc/systemd/system/getty.target': '-> /dev/null',
        'etc/systemd/system/systemd-remount-fs.service': '',
        'etc/systemd/system/console-getty.service': '-> /dev/null',
        'etc/systemd/system/tmp.mount': '-> /dev/null',
        'etc/systemd/system/dev-hugepages.mount': '[Mount]\n'
      },
      ['remove etc/systemd/system/getty.target', 'remove etc/systemd/system/systemd-remount-fs.service']
    ],
    [
      'links of systemd deleted for containers',
      {
        [`${UNITS}/getty.target`]: 9,
        [`${UNITS}/systemd-udevd.service`]: 9,
        [`${UNITS}/systemd-logind.service`]: 9,
        'etc/systemd/system/systemd-logind.service': '-> /dev/null',
        'etc/systemd/system/sysinit.target.wants/systemd-udevd.service': '-> x'
      },
      [
        'remove etc/systemd/system/systemd-logind.service',
        `etc/systemd/system/multi-user.target.wants/getty.target -> /${UNITS}/getty.target`,
        `etc/systemd/system/multi-user.target.wants/systemd-logind.service -> /${UNITS}/systemd-logind.service`
      ]
    ]
  ])('%s', (_, tree, expected) => {
    expect(edits(plan('systemd', tree))).toEqual(expected)
  })
})

describe('OpenRC', () => {
  const scripts = Object.fromEntries(
    ['devfs', 'mdev', 'hostname', 'root', 'urandom', 'mount-ro', 'sshd'].map(name => [
      `etc/init.d/${name}`,
      9
    ])
  )
  const levels = [
    'etc/runlevels/sysinit/devfs -> /etc/init.d/devfs',
    'etc/runlevels/sysinit/mdev -> /etc/init.d/mdev',
    'etc/runlevels/boot/hostname -> /etc/init.d/hostname',
    'etc/runlevels/boot/urandom -> /etc/init.d/urandom',
    'etc/runlevels/boot/root -> /etc/init.d/root',
    'etc/runlevels/shutdown/mount-ro -> /etc/init.d/mount-ro'
  ]
  const runlevels = (tree: TreeSketch): string[] =>
    edits(plan('busybox with openrc', { 'sbin/openrc': 9, ...scripts, ...tree })).filter(edit =>
      edit.startsWith('etc/runlevels')
    )
  test("Alpine's empty runlevels get what its scripts offer", () => {
    expect(runlevels({})).toEqual(levels)
    expect(runlevels({ 'etc/runlevels/default/sshd': '-> x', 'etc/runlevels/sysinit': null })).toEqual(levels)
  })
  test('what is in a runlevel stays there alone', () => {
    expect(runlevels({ 'etc/runlevels/default/hostname': '-> x' })).toEqual(
      levels.filter(link => !link.includes('hostname'))
    )
  })
  test('runlevels that were set up are left alone', () => {
    expect(runlevels({ 'etc/runlevels/sysinit/devfs': '-> x' })).toEqual([])
  })
  test("prompts are services of OpenRC's own init", () => {
    const tree = { 'etc/init.d/agetty': 9, 'etc/runlevels/sysinit/devfs': '-> x' }
    const draft = plan('openrc-init', tree)
    expect(edits(draft)).toEqual([
      'etc/init.d/agetty.tty1 -> agetty',
      'etc/runlevels/default/agetty.tty1 -> /etc/init.d/agetty.tty1',
      'etc/init.d/agetty.ttyS0 -> agetty',
      'etc/runlevels/default/agetty.ttyS0 -> /etc/init.d/agetty.ttyS0',
      'file etc/conf.d/agetty.ttyS0'
    ])
    expect(content(draft, 'etc/conf.d/agetty.ttyS0')).toContain('baud="115200"\n')
    const there = { ...tree, 'etc/init.d/agetty.tty1': '-> agetty', 'etc/runlevels/boot/agetty.tty1': '-> x' }
    expect(edits(plan('openrc-init', there, false))).toEqual([])
  })
})

describe('runit', () => {
  const services = 'etc/runit/runsvdir/default'
  test.each<[string, TreeSketch, string[]]>([
    [
      'Debian, with getty-run',
      {
        'etc/sv/getty-tty1/run': '#!/bin/sh\n',
        'etc/sv/getty-ttyS0/run': '#!/bin/sh\n',
        [`${services}/getty-tty1`]: '-> ../../../sv/getty-tty1'
      },
      [`${services}/getty-ttyS0 -> /etc/sv/getty-ttyS0`]
    ],
    [
      'Void',
      {
        'etc/sv/agetty-tty1/run': 9,
        'etc/sv/agetty-ttyS0/run': 9,
        [`${services}/agetty-tty1`]: '-> /etc/sv/agetty-tty1'
      },
      [`${services}/agetty-ttyS0 -> /etc/sv/agetty-ttyS0`]
    ],
    ['disabled by hand', { [`${services}/.getty-tty1`]: '-> x', [`${services}/.getty-ttyS0`]: '-> x' }, []],
    [
      'no services',
      { [services]: null },
      [
        'file etc/sv/getty-tty1/run',
        `${services}/getty-tty1 -> /etc/sv/getty-tty1`,
        'file etc/sv/getty-ttyS0/run',
        `${services}/getty-ttyS0 -> /etc/sv/getty-ttyS0`
      ]
    ]
  ])('%s', (_, tree, expected) => {
    expect(edits(plan('runit', tree))).toEqual(expected)
  })
  test("Debian's serial line gets the speed of the kernel's messages", () => {
    const run =
      'if x; then\n    exec chpst -P fgetty /dev/ttyS0\nelse\n    exec /sbin/getty -L "$SGETTY" 9600 vt100\nfi\n'
    expect(content(plan('runit', { 'etc/sv/getty-ttyS0/run': run }), 'etc/sv/getty-ttyS0/run')).toBe(
      run.replace('9600', '115200')
    )
  })
})

test('an image in which nobody can log in is told of, an init of its own is left alone', () => {
  const bare = sketchDraft({ 'etc/inittab': DEBIAN_INITTAB })
  planConsoles(bare, { ...plainFacts(), init: INITS.sysvinit as Init })
  expect(bare.edits).toEqual([])
  expect(bare.warnings).toEqual([expect.stringContaining('no getty or no login program')])
  expect(plan('sysvinit', { 'etc/inittab': DEBIAN_INITTAB }).warnings).toEqual([])
  const other = sketchDraft({})
  planConsoles(other, { ...plainFacts(), init: INITS.other as Init })
  expect([other.edits, other.warnings]).toEqual([[], []])
})

test('the script is one that a POSIX shell reads', () => {
  execFileSync('sh', ['-n'], { input: BOOT_SCRIPT.content })
})
