import type { Edit } from '../../src/edits.ts'
import { addEntry, addMember, changeEntry, findAccount, freeId } from '../../src/machine/accounts.ts'
import type { Draft } from '../../src/machine/draft.ts'
import type { MachineFacts } from '../../src/machine/facts.ts'
import { draftMachine } from '../../src/machine/plan.ts'
import { planUsers } from '../../src/machine/users.ts'
import { plainFacts, sketchContainer, sketchDraft, type TreeSketch } from '../support/tree.ts'

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKmeandyoukmeandyoukmeandyoukmeandyouk me@home'
const OTHER_KEY = `from="10.0.0.0/8" ${KEY.replaceAll('you', 'her')}`
const PASSWD = 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/srv/app:/bin/bash\n'
const TREE: TreeSketch = {
  'etc/passwd': PASSWD,
  'etc/group': 'root:x:0:\nsudo:x:27:\napp:x:1000:\n',
  'etc/shadow': 'root:*:19000:0:99999:7:::\napp:!:19000:0:99999:7:::\n',
  'usr/bin/sudo': 9,
  'etc/sudoers': 'root ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n',
  root: null,
  'srv/app': null,
  home: null
}

function plan(sketch: TreeSketch, facts: Partial<MachineFacts>): Draft {
  const draft = sketchDraft(sketch)
  planUsers(draft, { ...plainFacts(), ...facts })
  return draft
}

const find = (draft: Draft, path: string): Edit | undefined => draft.edits.find(edit => edit.path === path)

describe('account files', () => {
  test.each([
    ['the end', 'a:x:1:\n', 'a:x:1:\nn:x:2:\n'],
    ['the end without a newline', 'a:x:1:', 'a:x:1:\nn:x:2:\n'],
    ['an empty file', '', 'n:x:2:\n'],
    ['no file', null, 'n:x:2:\n'],
    ['before NIS', 'a:x:1:\n-b::::::\n+::::::\n', 'a:x:1:\nn:x:2:\n-b::::::\n+::::::\n'],
    ['before NIS without a newline', 'a:x:1:\n+::::::', 'a:x:1:\nn:x:2:\n+::::::\n'],
    ['after CRLF', 'a:x:1:\r\n', 'a:x:1:\r\nn:x:2:\n'],
    ['after a comment and bytes that are no UTF-8', '# c\na:\xff:1:\n', '# c\na:\xff:1:\nn:x:2:\n']
  ])('an entry goes to %s', (_, text, expected) => {
    expect(addEntry(text, 'n:x:2:')).toBe(expected)
  })

  test.each([
    ['a:x:1:\nsudo:x:27:\n', 'a:x:1:\nsudo:x:27:me\n'],
    ['sudo:x:27:you', 'sudo:x:27:you,me'],
    ['sudo:x:27:you,me\n', 'sudo:x:27:you,me\n'],
    ['sudo:x:27:you\r\nb:x:2:\r\n', 'sudo:x:27:you,me\r\nb:x:2:\r\n'],
    ['sudo:*::\n', 'sudo:*::me\n'],
    ['sudo:x:27:\nsudo:x:28:\n', 'sudo:x:27:me\nsudo:x:28:\n'],
    ['nosudo:x:27:\n', 'nosudo:x:27:\n']
  ])('a member of sudo: %j', (text, expected) => {
    expect(addMember(text, 'sudo', 'me')).toBe(expected)
  })

  test('the first of two entries of a name counts', () => {
    const twice = 'a:x:1:2::/one:/bin/sh\na:x:3:4::/two:/bin/sh\n'
    expect(findAccount(twice, 'a')).toEqual({ name: 'a', uid: 1, gid: 2, home: '/one', shell: '/bin/sh' })
    expect(changeEntry(twice, 'a', () => ['b'])).toBe('b\na:x:3:4::/two:/bin/sh\n')
    expect(findAccount(twice, 'x')).toBeNull()
    expect(findAccount('a:x:-1:0x2::/:\r\n', 'a')).toMatchObject({
      uid: Number.NaN,
      gid: Number.NaN,
      shell: ''
    })
  })

  test.each([
    ['', '', 1000],
    ['a:x:1000:1000:::\nb:x:1001:100:::\n', '', 1002],
    ['a:x:1000:1003:::\n', 'a:x:1001:\nb:x:1002:\n', 1004],
    ['nobody:x:65534:65534:::\n', 'users:x:100:1000\n', 1000]
  ])('the first free id after %j and %j is %d', (passwd, group, id) => {
    expect(freeId(passwd, group)).toBe(id)
  })
})

describe('a user who is absent', () => {
  test('is made with a group, a home, and the right to become root without a password', () => {
    const draft = plan(
      { ...TREE, 'etc/gshadow': 'sudo:*::\n', 'bin/bash': 9 },
      { user: 'admin', authorizedKeys: [KEY] }
    )
    expect(draft.text('etc/passwd')).toBe(`${PASSWD}admin:x:1001:1001::/home/admin:/bin/bash\n`)
    expect(draft.text('etc/group')).toBe('root:x:0:\nsudo:x:27:admin\napp:x:1000:\nadmin:x:1001:\n')
    expect(draft.text('etc/shadow')).toBe(`${TREE['etc/shadow']}admin:*::0:99999:7:::\n`)
    expect(draft.text('etc/gshadow')).toBe('sudo:*::admin\nadmin:!::\n')
    const owner = { uid: 1001, gid: 1001 }
    expect(find(draft, 'home/admin')).toMatchObject({ kind: 'folder', mode: 0o700, ...owner })
    expect(find(draft, 'home/admin/.ssh')).toMatchObject({ kind: 'folder', mode: 0o700, ...owner })
    expect(find(draft, 'home/admin/.ssh/authorized_keys')).toMatchObject({
      content: `${KEY}\n`,
      mode: 0o600,
      ...owner
    })
    expect(find(draft, 'etc/sudoers.d/90-admin')).toMatchObject({
      content: 'admin ALL=(ALL) NOPASSWD:ALL\n',
      mode: 0o440,
      uid: 0
    })
    expect(draft.warnings).toEqual([])
  })

  test('is made where only passwd is, and has no password there', () => {
    const draft = plan({ 'etc/passwd': PASSWD }, { user: 'admin', authorizedKeys: [KEY] })
    expect(draft.text('etc/passwd')).toBe(`${PASSWD}admin:*:1001:1001::/home/admin:/bin/sh\n`)
    expect(draft.text('etc/group')).toBe('admin:x:1001:\n')
    expect(find(draft, 'etc/shadow')).toBeUndefined()
    expect(() => plan({}, { user: 'admin' })).toThrow('the image has no /etc/passwd to add a user to')
    expect(() => plan({ ...TREE, 'home/admin': '-> /etc' }, { user: 'admin' })).toThrow('no folder')
  })

  test('takes the group of its name', () => {
    const draft = plan({ ...TREE, 'etc/group': 'wheel:x:10:root\nadmin:x:300:\n' }, { user: 'admin' })
    expect(draft.text('etc/passwd')).toContain('\nadmin:x:1001:300:')
    expect(draft.text('etc/group')).toBe('wheel:x:10:root,admin\nadmin:x:300:\n')
  })

  test.each<[string, TreeSketch, string, string]>([
    [
      'a sudoers without the folder',
      { 'etc/sudoers': 'root ALL=(ALL) ALL' },
      'etc/sudoers',
      'root ALL=(ALL) ALL\nadmin ALL=(ALL) NOPASSWD:ALL\n'
    ],
    ['doas', { 'usr/bin/doas': 9 }, 'etc/doas.conf', 'permit nopass admin\n'],
    [
      'doas with rules',
      { 'usr/bin/doas': 9, 'etc/doas.conf': 'permit persist :wheel' },
      'etc/doas.conf',
      'permit persist :wheel\npermit nopass admin\n'
    ],
    [
      "Alpine's doas",
      { 'usr/bin/doas': 9, 'etc/doas.d': null },
      'etc/doas.d/zz-admin.conf',
      'permit nopass admin\n'
    ]
  ])('becomes root by %s', (_, tree, path, expected) => {
    expect(plan({ ...TREE, ...tree }, { user: 'admin' }).text(path)).toBe(expected)
  })

  test('is warned of without a way to become root or to log in', () => {
    const { 'usr/bin/sudo': _, ...tree } = TREE
    expect(plan(tree, { user: 'admin' }).warnings).toEqual([
      expect.stringMatching(/neither sudo nor doas.* RUN apt-get .* sudo$/),
      expect.stringContaining('has neither password nor key')
    ])
  })
})

describe('keys', () => {
  test('of a user who is there go where its home is, and nothing else changes', () => {
    const draft = plan(TREE, { user: 'app', authorizedKeys: [KEY] })
    expect(draft.edits.map(edit => edit.path)).toEqual([
      'srv/app/.ssh',
      'srv/app/.ssh/authorized_keys',
      'etc/shadow'
    ])
    expect(find(draft, 'srv/app/.ssh')).toMatchObject({ mode: 0o700, uid: 1000, gid: 1000 })
    // A locked account would be refused.
    expect(draft.text('etc/shadow')).toContain('\napp:*:19000:0:99999:7:::\n')
  })

  test.each([
    ['!', '*'],
    ['!!', '*'],
    ['!*', '*'],
    ['!$6$salt$hash', '*$6$salt$hash'],
    ['*', '*'],
    ['$6$salt$hash', '$6$salt$hash'],
    ['', '']
  ])("root's password %j becomes %j", (before, after) => {
    const shadow = `root:${before}:1::::::\nb:!:1::::::\n`
    const draft = plan({ ...TREE, 'etc/shadow': shadow }, { authorizedKeys: [KEY] })
    expect(draft.text('etc/shadow')).toBe(`root:${after}:1::::::\nb:!:1::::::\n`)
  })

  test.each([
    [undefined, [KEY, OTHER_KEY, KEY], `${KEY}\n${OTHER_KEY}\n`],
    ['# mine\n', [KEY], `# mine\n${KEY}\n`],
    [OTHER_KEY, [KEY], `${OTHER_KEY}\n${KEY}\n`],
    [`${KEY}\r\n`, [KEY], `${KEY}\r\n`],
    [
      `${KEY}\n`,
      [`${KEY.replace('home', 'zuhause, \u00fc')}`],
      `${KEY}\n${KEY.replace('home', 'zuhause, \xc3\xbc')}\n`
    ]
  ])('beside %j', (present, authorizedKeys, expected) => {
    const tree = present === undefined ? TREE : { ...TREE, 'root/.ssh/authorized_keys': present }
    expect(plan(tree, { authorizedKeys }).text('root/.ssh/authorized_keys')).toBe(expected)
  })

  test('make a home that is absent', () => {
    const draft = plan({ 'etc/passwd': 'root:x:0:0::/var//roothome/:/bin/sh\n' }, { authorizedKeys: [KEY] })
    expect(find(draft, 'var/roothome')).toMatchObject({ kind: 'folder', mode: 0o700, uid: 0 })
    expect(draft.text('var/roothome/.ssh/authorized_keys')).toBe(`${KEY}\n`)
  })

  test.each<[string, TreeSketch]>([
    ['is ""', { 'etc/passwd': 'root:x:0:0:::' }],
    ['is "/"', { 'etc/passwd': 'root:x:0:0::/:' }],
    ['is "root"', { 'etc/passwd': 'root:x:0:0::root:' }],
    ['is "/a/../../b"', { 'etc/passwd': 'root:x:0:0::/a/../../b:' }],
    ['is "/nonexistent"', { 'etc/passwd': 'root:x:0:0::/nonexistent:' }],
    ['is "/dev/null"', { 'etc/passwd': 'root:x:0:0::/dev/null:' }],
    ['is "/run/root"', { 'etc/passwd': 'root:x:0:0::/run/root:' }],
    ['is "/\xe4"', { 'etc/passwd': 'root:x:0:0::/\xe4:' }],
    ['/root is no folder', { 'etc/passwd': PASSWD, root: 'a file' }],
    ['/root is a link that leads nowhere', { 'etc/passwd': PASSWD, root: '-> /gone' }]
  ])('have no place where the home %s', (why, tree) => {
    expect(() => plan(tree, { authorizedKeys: [KEY] })).toThrow(`user root cannot hold keys: its home`)
    expect(() => plan(tree, { authorizedKeys: [KEY] })).toThrow(why)
  })

  test.each<[string, TreeSketch]>([
    ['/root/.ssh is no folder', { ...TREE, etc: null, 'root/.ssh': '-> /etc' }],
    ['its user or group id', { ...TREE, 'etc/passwd': 'root:x:zero:0::/root:' }],
    ['the image has no user root', { ...TREE, 'etc/passwd': 'toor:x:0:0::/root:\n' }],
    ['the image has no user root', {}]
  ])('are refused: %s', (why, tree) => {
    expect(() => plan(tree, { authorizedKeys: [KEY] })).toThrow(why)
  })

  test('are warned of where no login follows', () => {
    const tree = { ...TREE, 'etc/passwd': 'root:x:0:0::/root:/usr/sbin/nologin\n' }
    expect(plan(tree, { authorizedKeys: [KEY] }).warnings).toEqual([
      expect.stringContaining('/usr/sbin/nologin, which ends every login')
    ])
  })

  test('that the image has are read from the home that its passwd names', async () => {
    const container = sketchContainer({ ...TREE, 'srv/app/.ssh/authorized_keys': `${OTHER_KEY}\n` })
    const drafted = await draftMachine(container, { ...plainFacts(), user: 'app', authorizedKeys: [KEY] })
    expect(drafted.text('srv/app/.ssh/authorized_keys')).toBe(`${OTHER_KEY}\n${KEY}\n`)
    const fresh = await draftMachine(container, { ...plainFacts(), user: 'new', authorizedKeys: [KEY] })
    expect(fresh.text('home/new/.ssh/authorized_keys')).toBe(`${KEY}\n`)
  })
})
