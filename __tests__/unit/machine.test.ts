import type { InitSystem } from '../../src/distro/init.ts'
import type { Edit } from '../../src/edits.ts'
import type { MachineFacts } from '../../src/machine/facts.ts'
import { planMachine } from '../../src/machine/plan.ts'
import { plainFacts, sketchDraft, type TreeSketch } from '../support/tree.ts'

type Changes = Partial<MachineFacts> & { initSystem?: InitSystem }

const ROOT_MOUNT = plainFacts().rootMount

function plan(sketch: TreeSketch, { initSystem, ...facts }: Changes = {}): Edit[] {
  const draft = sketchDraft(sketch)
  planMachine(draft, { ...plainFacts(initSystem), ...facts })
  return draft.edits
}

const find = (edits: Edit[], path: string): Edit | undefined => edits.find(edit => edit.path === path)
const content = (edits: Edit[], path: string): unknown => {
  const edit = find(edits, path)
  return edit?.kind === 'file' ? edit.content : edit
}

test.each([
  ['none', {}, `${ROOT_MOUNT}\n`],
  ["Debian's empty one", { 'etc/fstab': '# UNCONFIGURED FSTAB FOR BASE SYSTEM\n' }, `${ROOT_MOUNT}\n`],
  [
    "Alpine's own",
    { 'etc/fstab': '/dev/cdrom\t/media/cdrom\tiso9660\tnoauto,ro 0 0\n' },
    `${ROOT_MOUNT}\n/dev/cdrom\t/media/cdrom\tiso9660\tnoauto,ro 0 0\n`
  ],
  [
    'another root',
    { 'etc/fstab': '# / is here\n/dev/sda1 / ext4 defaults 0 1\ntmpfs /tmp tmpfs\n' },
    `${ROOT_MOUNT}\n# / is here\ntmpfs /tmp tmpfs\n`
  ]
])('fstab from %s', (_, tree, expected) => {
  expect(content(plan(tree as TreeSketch), 'etc/fstab')).toBe(expected)
})

test('the host name, and nothing of what the image or Docker has there', () => {
  const edits = plan(
    { 'etc/hostname': 'debuerreotype', 'etc/hosts': '127.0.0.1 localhost mine\n' },
    { hostname: 'given' }
  )
  expect(content(edits, 'etc/hostname')).toBe('given\n')
  expect(content(edits, 'etc/hosts')).toContain('127.0.0.1\tlocalhost\n127.0.1.1\tgiven\n')
})

test('machine ids are not shared', () => {
  const systemd = plan({ 'etc/machine-id': 'abc\n', 'var/lib/dbus/machine-id': 'abc\n' })
  expect(find(systemd, 'etc/machine-id')).toMatchObject({
    kind: 'file',
    path: 'etc/machine-id',
    content: '',
    mode: 0o444
  })
  expect(find(systemd, 'var/lib/dbus/machine-id')).toEqual({
    kind: 'remove',
    path: 'var/lib/dbus/machine-id'
  })
  const openrc = plan(
    { 'etc/machine-id': 'abc\n', 'var/lib/dbus/machine-id': '-> /etc/machine-id' },
    { initSystem: 'openrc' }
  )
  expect(find(openrc, 'etc/machine-id')).toEqual({ kind: 'remove', path: 'etc/machine-id' })
  expect(find(openrc, 'var/lib/dbus/machine-id')).toBeUndefined()
})

test("traces of Docker go, a policy of the user's own stays", () => {
  const edits = plan({
    '.dockerenv': '',
    'run/.containerenv': '',
    'usr/sbin/policy-rc.d': '#!/bin/sh\nexit 101\n'
  })
  expect(edits.filter(edit => edit.kind === 'remove').map(edit => edit.path)).toEqual([
    '.dockerenv',
    'run/.containerenv',
    'usr/sbin/policy-rc.d'
  ])
  expect(
    find(plan({ 'usr/sbin/policy-rc.d': '#!/bin/sh\nexit 0\n' }), 'usr/sbin/policy-rc.d')
  ).toBeUndefined()
})

test("root's password goes where root's is, literally", () => {
  const passwordHash = "$6$rounds=100000$a.b$c/d$&$'$1"
  const shadow = 'daemon:*:1::\nroot:*:19000:0:99999:7:::\n'
  expect(
    find(
      plan({ 'etc/shadow': shadow, 'etc/passwd': 'root:x:0:0::/root:/bin/sh\n' }, { passwordHash }),
      'etc/shadow'
    )
  ).toMatchObject({
    content: `daemon:*:1::\nroot:${passwordHash}:19000:0:99999:7:::\n`,
    mode: 0o644
  })
  expect(content(plan({ 'etc/passwd': 'root::0:0::/root:/bin/sh\n' }, { passwordHash }), 'etc/passwd')).toBe(
    `root:${passwordHash}:0:0::/root:/bin/sh\n`
  )
  expect(() => plan({ 'etc/passwd': 'toor:x:0:0::/:/bin/sh\n' }, { passwordHash })).toThrow(
    'the image has no user root'
  )
})

test('devices that a kernel without devtmpfs needs', () => {
  expect(find(plan({ 'dev/console': '' }), 'dev/console')).toEqual({
    kind: 'device',
    path: 'dev/console',
    major: 5,
    minor: 1,
    mode: 0o600
  })
  expect(find(plan({ 'dev/console': 'device' }), 'dev/console')).toBeUndefined()
})
