import type { InitSystem } from '../../src/distro/init.ts'
import type { Draft } from '../../src/machine/draft.ts'
import type { MachineFacts } from '../../src/machine/facts.ts'
import { planSsh } from '../../src/machine/ssh.ts'
import { plainFacts, sketchDraft, type TreeSketch } from '../support/tree.ts'

const KEYGEN = { 'usr/bin/ssh-keygen': 9 }
const SSHD = { 'usr/sbin/sshd': 9, ...KEYGEN }
const HOST_KEYS = {
  'etc/ssh/ssh_host_rsa_key': 'k',
  'etc/ssh/ssh_host_rsa_key.pub': 'k',
  'etc/ssh/sshd_config': 'c'
}
const REMOVED = ['remove etc/ssh/ssh_host_rsa_key', 'remove etc/ssh/ssh_host_rsa_key.pub']
const UNIT = [
  'file etc/systemd/system/ssh-host-keys.service',
  'link etc/systemd/system/multi-user.target.wants/ssh-host-keys.service'
]
const KEY = 'ssh-ed25519 AAAA me'

function plan(system: InitSystem, sketch: TreeSketch, facts: Partial<MachineFacts> = {}): Draft {
  const draft = sketchDraft(sketch)
  planSsh(draft, { ...plainFacts(system), ...facts })
  return draft
}

const changes = (draft: Draft): string[] => draft.edits.map(edit => `${edit.kind} ${edit.path}`)

describe('host keys', () => {
  test.each<[string, InitSystem, TreeSketch, string[]]>([
    ['a unit', 'systemd', KEYGEN, [...UNIT, ...REMOVED]],
    ["Fedora's units", 'systemd', { ...KEYGEN, 'usr/lib/systemd/system/sshd-keygen@.service': 'u' }, REMOVED],
    ["Arch's unit", 'systemd', { ...KEYGEN, 'usr/lib/systemd/system/sshdgenkeys.service': 'u' }, REMOVED],
    [
      "a unit beside Debian's, which waits for a first boot by machine-id",
      'systemd',
      { ...KEYGEN, 'lib/systemd/system/sshd-keygen.service': 'u' },
      [...UNIT, ...REMOVED]
    ],
    ["Alpine's script", 'openrc', { 'etc/init.d/sshd': '\tssh-keygen -A\n' }, REMOVED],
    [
      "an OpenRC script beside Debian's",
      'openrc',
      { ...KEYGEN, 'etc/init.d/ssh': 'start-stop-daemon\n', 'sbin/openrc-run': 9 },
      ['file etc/init.d/ssh-host-keys', 'link etc/runlevels/default/ssh-host-keys', ...REMOVED]
    ],
    [
      'a line of inittab under sysvinit',
      'sysvinit',
      { ...KEYGEN, 'etc/inittab': 'id:2:initdefault:\n' },
      ['file etc/inittab', ...REMOVED]
    ],
    [
      'a line of inittab under BusyBox',
      'busybox',
      { ...KEYGEN, 'etc/inittab': '::sysinit:x\n' },
      ['file etc/inittab', ...REMOVED]
    ],
    [
      "Buildroot's script",
      'busybox',
      { ...KEYGEN, 'etc/init.d/S50sshd': '/usr/bin/ssh-keygen -A\n' },
      REMOVED
    ],
    [
      "a script of Debian's runit",
      'runit',
      { ...KEYGEN, 'etc/runit/1': 'for script in /etc/rcS.d/S* ; do\n' },
      ['file etc/init.d/ssh-host-keys', 'link etc/rcS.d/S99ssh-host-keys', ...REMOVED]
    ],
    ["Void's service", 'runit', { 'etc/sv/sshd/run': 'ssh-keygen -A >/dev/null 2>&1\n' }, REMOVED]
  ])('are made at first boot by %s', (_, system, tree, expected) => {
    const draft = plan(system, { ...HOST_KEYS, ...tree })
    expect(changes(draft)).toEqual(expected)
    expect(draft.warnings).toEqual([])
  })

  test('are made also where a server has none', () => {
    expect(changes(plan('systemd', SSHD))).toEqual(UNIT)
    expect(changes(plan('systemd', KEYGEN))).toEqual([])
  })

  test.each<[string, InitSystem, TreeSketch]>([
    ['no ssh-keygen', 'systemd', {}],
    ['no inittab', 'busybox', KEYGEN],
    ['a runit that starts nothing of sysvinit', 'runit', { ...KEYGEN, 'etc/runit/1': 'mount -a\n' }],
    [
      "Debian's runit with its own way to boot",
      'runit',
      { ...KEYGEN, 'etc/runit/1': '/etc/rcS.d/S*\n', 'etc/runit/native.boot.run': '' }
    ],
    ['OpenRC without openrc-run', 'openrc', KEYGEN],
    ['an unknown init', 'other', KEYGEN]
  ])('stay, with a warning, with %s', (_, system, tree) => {
    const draft = plan(system, { ...HOST_KEYS, ...tree })
    expect(changes(draft)).toEqual([])
    expect(draft.warnings).toEqual([expect.stringContaining('all of its machines share them')])
  })

  test.each<[string, InitSystem, string, string]>([
    [
      'after what BusyBox mounts',
      'busybox',
      '# ::sysinit:no\n::sysinit:/bin/mount -a\n::wait:/usr/sbin/sshd\nttyS0::respawn:getty\n',
      '# ::sysinit:no\n::sysinit:/bin/mount -a\n::sysinit:/usr/bin/ssh-keygen -A\n::wait:/usr/sbin/sshd\nttyS0::respawn:getty\n'
    ],
    [
      "after Debian's rcS",
      'sysvinit',
      'id:2:initdefault:\nsi::sysinit:/etc/init.d/rcS\nl2:2:wait:/etc/init.d/rc 2',
      'id:2:initdefault:\nsi::sysinit:/etc/init.d/rcS\nsshk::bootwait:/usr/bin/ssh-keygen -A\nl2:2:wait:/etc/init.d/rc 2\n'
    ],
    [
      'at the end of an inittab that prepares nothing',
      'busybox',
      'ttyS0::respawn:getty\n',
      'ttyS0::respawn:getty\n::sysinit:/usr/bin/ssh-keygen -A\n'
    ],
    ['once', 'busybox', '::wait:/usr/bin/ssh-keygen -A\n', '::wait:/usr/bin/ssh-keygen -A\n']
  ])('are made %s', (_, system, inittab, expected) => {
    expect(plan(system, { ...SSHD, 'etc/inittab': inittab }).text('etc/inittab')).toBe(expected)
  })

  test('of Dropbear go where its start script makes new ones', () => {
    const keys = { 'etc/dropbear/dropbear_rsa_host_key': 'k', 'usr/sbin/dropbear': 9 }
    const alpine = plan('openrc', { ...keys, 'etc/init.d/dropbear': 'dropbearkey -t rsa -f k\n' })
    expect(changes(alpine)).toEqual(['remove etc/dropbear/dropbear_rsa_host_key'])
    const debian = plan('systemd', { ...keys, 'etc/init.d/dropbear': 'start-stop-daemon\n' })
    expect(changes(debian)).toEqual([])
    expect(debian.warnings).toEqual([expect.stringContaining('start Dropbear with -R')])
  })
})

describe('an SSH server, if there are keys to log in with,', () => {
  const authorizedKeys = [KEY]
  const server = (system: InitSystem, tree: TreeSketch): Draft => plan(system, tree, { authorizedKeys })
  const sshdUnit = { ...SSHD, 'usr/lib/systemd/system/ssh.service': 'u' }
  const withoutHostKeys = (draft: Draft): string[] =>
    changes(draft).filter(change => !change.includes('ssh-host-keys'))

  test.each<[string, InitSystem, TreeSketch]>([
    ['systemd', 'systemd', { 'etc/systemd/system/multi-user.target.wants/ssh.service': '-> /x' }],
    ["systemd's socket", 'systemd', { 'etc/systemd/system/sockets.target.wants/ssh.socket': '-> /x' }],
    ['a unit of the vendor', 'systemd', { 'usr/lib/systemd/system/a.target.wants/sshd.service': '-> /x' }],
    ['OpenRC', 'openrc', { 'etc/runlevels/boot/sshd': '-> /x', 'etc/init.d/sshd': 'ssh-keygen' }],
    ['sysvinit', 'sysvinit', { 'etc/rc2.d/S01ssh': '-> ../init.d/ssh', 'etc/inittab': 'ssh-keygen' }],
    ['runit', 'runit', { 'etc/service/ssh': '-> /x', 'etc/sv/ssh/run': 'ssh-keygen' }],
    ["BusyBox' inittab", 'busybox', { 'etc/inittab': '::respawn:/usr/sbin/sshd -D\n::wait:ssh-keygen -A\n' }],
    ["BusyBox' rcS", 'busybox', { 'etc/init.d/rcS': 'ssh-keygen -A\n/usr/sbin/sshd\n' }]
  ])('is left to %s that starts it', (_, system, tree) => {
    const draft = server(system, { ...sshdUnit, ...tree })
    expect(withoutHostKeys(draft)).toEqual([])
    expect(draft.warnings).toEqual([])
  })

  test('is enabled', () => {
    const link = 'etc/systemd/system/multi-user.target.wants/ssh.service'
    expect(server('systemd', sshdUnit).edits.find(({ path }) => path === link)).toEqual({
      kind: 'link',
      path: link,
      target: '/usr/lib/systemd/system/ssh.service'
    })
    expect(withoutHostKeys(plan('systemd', sshdUnit))).toEqual([])
    const openrc = server('openrc', { ...SSHD, 'etc/init.d/sshd': 'ssh-keygen -A\n' })
    expect(openrc.edits).toEqual([
      { kind: 'link', path: 'etc/runlevels/default/sshd', target: '/etc/init.d/sshd' }
    ])
  })

  test.each<[string, InitSystem, TreeSketch]>([
    ['a masked unit', 'systemd', { ...sshdUnit, 'etc/systemd/system/ssh.service': '-> /dev/null' }],
    ['no unit', 'systemd', SSHD],
    ['no link of a runlevel', 'sysvinit', { ...SSHD, 'etc/inittab': '::wait:ssh-keygen\n' }],
    ['a comment alone', 'busybox', { ...SSHD, 'etc/inittab': '# /usr/sbin/sshd\n::wait:ssh-keygen -A\n' }]
  ])('is warned of with %s', (_, system, tree) => {
    const draft = server(system, tree)
    expect(withoutHostKeys(draft)).toEqual([])
    expect(draft.warnings).toEqual([
      expect.stringContaining(`nothing was found that starts it under ${system}`)
    ])
  })

  test('is asked for where there is none', () => {
    expect(server('systemd', {}).warnings).toEqual([
      expect.stringMatching(/no SSH server is in the image.* RUN apt-get .* openssh-server$/)
    ])
    expect(plan('systemd', {}).warnings).toEqual([])
    const distribution = { id: 'alpine', like: [], version: '3.20', name: 'Alpine' }
    expect(plan('openrc', {}, { authorizedKeys, distribution }).warnings).toEqual([
      expect.stringMatching(/RUN apk add --no-cache openssh$/)
    ])
    expect(
      plan(
        'openrc',
        { 'usr/sbin/dropbear': 9, 'etc/runlevels/default/dropbear': '-> /x' },
        { authorizedKeys }
      ).warnings
    ).toEqual([])
  })

  test('that refuses root is warned of, but not for another user', () => {
    const tree = {
      ...sshdUnit,
      'etc/ssh/sshd_config': '#PermitRootLogin yes\n  permitrootlogin no # never\n'
    }
    expect(server('systemd', tree).warnings).toEqual([expect.stringContaining('PermitRootLogin no')])
    expect(plan('systemd', tree, { authorizedKeys, user: 'admin' }).warnings).toEqual([])
  })
})
