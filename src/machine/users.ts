import { familyOf } from '../distro/families.ts'
import { dockerfileLine } from '../distro/family.ts'
import { ActionError } from '../errors.ts'
import { inert } from '../text.ts'
import { type Account, addEntry, addMember, changeEntry, findAccount, findEntry, freeId } from './accounts.ts'
import type { Draft } from './draft.ts'
import type { MachineFacts } from './facts.ts'

export const USERS_TEXTS = [
  'etc/passwd',
  'etc/group',
  'etc/shadow',
  'etc/gshadow',
  'etc/sudoers',
  'etc/doas.conf'
] as const

/**
 * The file of keys, whose place is known only with passwd(5); none if no keys are to be added.
 * @throws ActionError as {@link planUsers}
 */
export function keyTexts(passwd: string | null, { user, authorizedKeys }: MachineFacts): string[] {
  if (authorizedKeys.length === 0) return []
  const name = user ?? 'root'
  const home = homeOf(findAccount(passwd, name) ?? { name, home: `/home/${name}` })
  return [`${home}/.ssh/authorized_keys`]
}

/**
 * Plans who may log in.
 * @throws ActionError if root is to get a password or keys and the image has no such user, if a user cannot be added, or if
 *   keys are for a user whose home cannot hold them
 */
export function planUsers(draft: Draft, facts: MachineFacts): void {
  const { passwordHash, user, authorizedKeys } = facts
  if (passwordHash !== null) planRootPassword(draft, passwordHash)
  if (user !== null && findAccount(draft.text('etc/passwd'), user) === null) addUser(draft, user, facts)
  if (authorizedKeys.length > 0) planKeys(draft, user ?? 'root', authorizedKeys)
}

function planRootPassword(draft: Draft, hash: string): void {
  for (const path of ['etc/shadow', 'etc/passwd']) {
    const content = draft.text(path)
    if (content === null || !/^root:/m.test(content)) continue
    // A function: a replacement string would read the hash's dollar signs as references.
    draft.write(
      path,
      content.replace(/^root:[^:\n]*/m, () => `root:${hash}`)
    )
    return
  }
  throw new ActionError(
    'Input root-password is given, but the image has no user root: neither /etc/shadow nor /etc/passwd names one.',
    'No user root'
  )
}

/** A user who logs in by key only and may become root without a password, since there is none. */
function addUser(draft: Draft, name: string, facts: MachineFacts): void {
  const [passwd, group] = [draft.text('etc/passwd'), draft.text('etc/group')]
  const [shadow, gshadow] = [draft.text('etc/shadow'), draft.text('etc/gshadow')]
  if (passwd === null) {
    throw new ActionError(
      `Input user is "${name}", but the image has no /etc/passwd to add a user to. Take a base image that has users, or leave user out.`,
      'No users'
    )
  }
  const uid = freeId(passwd, group)
  const ownGroup = /^\d+$/.exec(findEntry(group, name)?.[2] ?? '')
  const gid = ownGroup === null ? uid : Number(ownGroup[0])
  const shell = draft.kind('bin/bash') === 'f' ? '/bin/bash' : '/bin/sh'
  // sshd without PAM refuses accounts whose password begins with "!" as locked; no password fits "*" either.
  const password = shadow === null ? '*' : 'x'
  draft.write('etc/passwd', addEntry(passwd, `${name}:${password}:${uid}:${gid}::/home/${name}:${shell}`))
  if (shadow !== null) draft.write('etc/shadow', addEntry(shadow, `${name}:*::0:99999:7:::`))
  // Whose members may become root: the first on Alpine and in the Fedora family, the second on Debian.
  const admins = ['wheel', 'sudo'].filter(candidate => findEntry(group, candidate) !== null)
  const extend = (text: string | null, entry: string): string =>
    admins.reduce(
      (extended, admin) => addMember(extended, admin, name),
      ownGroup === null ? addEntry(text, entry) : (text ?? '')
    )
  draft.write('etc/group', extend(group, `${name}:x:${gid}:`))
  if (gshadow !== null) draft.write('etc/gshadow', extend(gshadow, `${name}:!::`))
  const home = `home/${name}`
  if ((draft.entry(home)?.kind ?? 'd') !== 'd')
    throw new ActionError(
      `Input user is "${name}", but /${home} in the image is no folder. Remove it in the Dockerfile, or make the user there.`,
      'No place for the user'
    )
  draft.folder(home, { mode: 0o700, uid, gid })
  if (!grantRoot(draft, name)) {
    const family = familyOf(facts.distribution)
    draft.warn(
      `User ${name} is made without the right to become root: the image has neither sudo nor doas.` +
        (family === null
          ? ''
          : ` Add to the Dockerfile: ${dockerfileLine(family, 'sudo', facts.distribution)}`)
    )
  }
  if (facts.authorizedKeys.length === 0)
    draft.warn(`User ${name} has neither password nor key: give authorized-keys for a way to log in.`)
}

/** Lets the user run anything as root; false if the image has no program for it. */
function grantRoot(draft: Draft, name: string): boolean {
  const hasSudo = draft.kind('usr/bin/sudo') === 'f'
  const hasDoas = draft.kind('usr/bin/doas') === 'f'
  if (hasSudo) {
    const rule = `${name} ALL=(ALL) NOPASSWD:ALL\n`
    const sudoers = draft.text('etc/sudoers')
    // openSUSE has its sudoers, which includes the folder, in /usr/etc.
    if (sudoers === null || /^[#@]includedir\s+\/etc\/sudoers\.d\s*$/m.test(sudoers))
      draft.write(`etc/sudoers.d/90-${name}`, rule, { mode: 0o440 })
    else draft.write('etc/sudoers', `${withNewline(sudoers)}${rule}`)
  }
  if (hasDoas) {
    const rule = `permit nopass ${name}\n`
    // Alpine's doas reads the folder, in order of names, and the last rule that fits decides.
    if (draft.kind('etc/doas.d') === 'd') draft.write(`etc/doas.d/zz-${name}.conf`, rule, { mode: 0o600 })
    else {
      const present = draft.text('etc/doas.conf')
      draft.write(
        'etc/doas.conf',
        `${withNewline(present ?? '')}${rule}`,
        present === null ? { mode: 0o600 } : {}
      )
    }
  }
  return hasSudo || hasDoas
}

function planKeys(draft: Draft, name: string, keys: readonly string[]): void {
  const account = findAccount(draft.text('etc/passwd'), name)
  if (account === null) {
    throw new ActionError(
      'Input authorized-keys is given, but the image has no user root: /etc/passwd does not name one. Name a user with the input user.',
      'No user root'
    )
  }
  const { uid, gid, shell } = account
  if (Number.isNaN(uid) || Number.isNaN(gid))
    throw unusable(account, 'its user or group id in /etc/passwd is no number')
  const home = homeOf(account)
  const present = draft.kind(home)
  if (present === null) {
    if (draft.entry(home) !== null) throw unusable(account, `its home /${home} is a link that leads nowhere`)
    draft.folder(home, { mode: 0o700, uid, gid })
  } else if (present !== 'd') throw unusable(account, `its home /${home} is no folder`)
  const folder = `${home}/.ssh`
  const entry = draft.entry(folder)
  // Through a link the mode of another folder, maybe a system's, would be changed.
  if (entry !== null && entry.kind !== 'd') throw unusable(account, `/${folder} is no folder`)
  const real = draft.index.resolve(home)
  const mode = real === null ? 0 : (draft.index.entry(real)?.mode ?? 0)
  if (present === 'd' && (mode & 0o022) !== 0)
    draft.warn(
      `/${inert(home)} can be written by others than ${name}: sshd takes no keys from it unless StrictModes is off. Add to the Dockerfile: RUN chmod go-w /${inert(home)}`
    )
  if (/\/(nologin|false)$/.test(shell.trim()))
    draft.warn(`User ${name} has the shell ${inert(shell)}, which ends every login at once.`)

  draft.folder(folder, { mode: 0o700, uid, gid })
  const file = `${folder}/authorized_keys`
  draft.write(file, addKeys(draft.text(file), keys), { mode: 0o600, uid, gid })
  unlock(draft, name)
}

/** sshd without PAM takes a password that begins with "!" for a locked account; no password fits "*" either. */
function unlock(draft: Draft, name: string): void {
  for (const path of ['etc/shadow', 'etc/passwd']) {
    const content = draft.text(path)
    const password = findEntry(content, name)?.[1]
    if (content === null || !password?.startsWith('!')) continue
    const unlocked = password.replace(/^!+\*?/, '*')
    draft.write(
      path,
      changeEntry(content, name, ([first = '', , ...rest]) => [first, unlocked, ...rest])
    )
  }
}

/** The text of authorized_keys(5) with those keys that are not in it. */
function addKeys(present: string | null, keys: readonly string[]): string {
  const known = new Set((present ?? '').split('\n').map(line => line.trim()))
  const added = [...new Set(keys.map(key => Buffer.from(key).toString('latin1')))].filter(
    key => !known.has(key)
  )
  return [withNewline(present ?? ''), ...added.map(key => `${key}\n`)].join('')
}

const withNewline = (text: string): string => (text === '' || text.endsWith('\n') ? text : `${text}\n`)

/** Folders that are empty when a machine has started, or are no place of files. */
const FLEETING = /^(dev|proc|run|sys|tmp)(\/|$)/

/** Path of a user's home, without a leading slash. */
function homeOf({ name, home }: Pick<Account, 'name' | 'home'>): string {
  const names = home.split('/').filter(Boolean)
  const path = names.join('/')
  const fits =
    home.startsWith('/') && /^[\x20-\x7e]+$/.test(path) && !names.some(part => /^\.{1,2}$/.test(part))
  if (!fits || FLEETING.test(path) || path === 'nonexistent')
    throw unusable({ name }, `its home in /etc/passwd is ${JSON.stringify(inert(home))}`)
  return path
}

const unusable = ({ name }: Pick<Account, 'name'>, why: string): ActionError =>
  new ActionError(
    `Input authorized-keys is given, but user ${name} cannot hold keys: ${inert(why)}. ` +
      `Give the user another home in the Dockerfile, such as RUN usermod --home ${name === 'root' ? '/root' : `/home/${name}`} ${name}, or name another user with the input user.`,
    'No place for keys'
  )
