import { posix } from 'node:path'
import type { ImageConfig } from '../../container.ts'
import { ActionError } from '../../errors.ts'
import type { TreeIndex } from '../../tree.ts'

/** A process as Docker would start it from an image. */
export type DockerProcess = Readonly<{
  /** The first is a path or a name to be searched in PATH. */
  argv: readonly string[]
  /** Names and values in Docker's order; a null value is the host name. */
  env: ReadonlyMap<string, string | null>
  identity: Identity
  /** Absolute path. */
  workingDir: string
  /** Number of the signal that asks it to end. */
  stopSignal: number
}>

export type Identity = Readonly<{
  uid: number
  gid: number
  /** All of its groups, `gid` first. */
  groups: readonly number[]
  /** The user's name if these are all the groups that passwd and group give it, as at a login; null if not. */
  loginName: string | null
}>

/** What Docker sets if the image does not (moby, pkg/system/path.go). */
export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
/** Largest user or group id that Docker takes. */
const LARGEST_ID = 2 ** 31 - 1
const SIGTERM = 15

/** Title of every error that the image's configuration causes. */
const TITLE = 'No service to run'

/**
 * What Docker would run.
 * @param passwd text of passwd(5), and `group` of group(5)
 * @throws ActionError if there is nothing to run, or Docker would refuse the user
 */
export function dockerProcess(config: ImageConfig, passwd: string, group: string): DockerProcess {
  const argv = [...config.entrypoint, ...config.cmd]
  if (argv.length === 0) {
    throw new ActionError(
      'Input entrypoint-service is true, but the image has neither ENTRYPOINT nor CMD. Add one to the Dockerfile, such as ' +
        'CMD ["/usr/local/bin/server"], or leave the input out.',
      TITLE
    )
  }
  const users = parseUsers(passwd)
  const identity = identityOf(config.user, users, parseGroups(group))
  return {
    argv,
    env: environment(config.env, users.find(({ uid }) => uid === identity.uid)?.home ?? '/'),
    identity,
    workingDir: posix.resolve('/', config.workingDir),
    stopSignal: signalNumber(config.stopSignal)
  }
}

/** Docker's own variables, the image's over them, and HOME as runc adds it. */
function environment(given: readonly string[], home: string): Map<string, string | null> {
  const env = new Map<string, string | null>([
    ['PATH', DEFAULT_PATH],
    ['HOSTNAME', null]
  ])
  for (const assignment of given) {
    const equals = assignment.indexOf('=')
    const name = equals < 0 ? assignment : assignment.slice(0, equals)
    if (equals < 0) env.delete(name)
    // Docker cannot start a container with a nameless variable.
    else if (equals > 0) env.set(name, assignment.slice(equals + 1))
  }
  if (!env.get('HOME')) env.set('HOME', home)
  return env
}

type User = Readonly<{ name: string; uid: number; gid: number; home: string }>
type Group = Readonly<{ name: string; gid: number; members: readonly string[] }>

const fieldsOf = (text: string): string[][] =>
  text
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '')
    .map(line => line.split(':'))

const parseUsers = (passwd: string): User[] =>
  fieldsOf(passwd).map(([name = '', , uid, gid, , home = '']) => ({
    name,
    uid: Number(uid),
    gid: Number(gid),
    home
  }))

const parseGroups = (group: string): Group[] =>
  fieldsOf(group).map(([name = '', , gid, members = '']) => ({
    name,
    gid: Number(gid),
    members: members.split(',')
  }))

/** The user and groups that a USER instruction names, by Docker's rules (libcontainer/user, GetExecUser). */
function identityOf(spec: string, users: readonly User[], groups: readonly Group[]): Identity {
  const [userPart = '', groupPart = ''] = spec.split(':')
  const refuse = (kind: string, name: string, file: string, advice: string): never => {
    throw new ActionError(
      `The image's USER is ${JSON.stringify(spec)}, but the image has no ${kind} ${JSON.stringify(name)}: /${file} does not ` +
        `name one. Add it in the Dockerfile, such as RUN ${advice} ${name}, or give its number.`,
      TITLE
    )
  }
  const number = (text: string, fallback: () => never): number => {
    if (!/^\d+$/.test(text) || Number(text) > LARGEST_ID) fallback()
    return Number(text)
  }
  // Digits are a number even where a user has such a name.
  const user = users.find(({ name, uid }) =>
    /^\d*$/.test(userPart) ? uid === Number(userPart) : name === userPart
  )
  const uid =
    user?.uid ??
    (userPart === '' ? 0 : number(userPart, () => refuse('user', userPart, 'etc/passwd', 'useradd')))
  if (groupPart !== '') {
    const named = /^\d+$/.test(groupPart) ? undefined : groups.find(({ name }) => name === groupPart)
    const gid = named?.gid ?? number(groupPart, () => refuse('group', groupPart, 'etc/group', 'groupadd'))
    return { uid, gid, groups: [gid], loginName: null }
  }
  const gid = user?.gid ?? 0
  const further = user ? groups.filter(({ members }) => members.includes(user.name)).map(g => g.gid) : []
  // su looks the user up by name: another line of that name may come first.
  const isFirst = users.find(({ name }) => name === user?.name) === user
  return {
    uid,
    gid,
    groups: [...new Set([gid, ...further])],
    loginName: isFirst ? (user?.name ?? null) : null
  }
}

/** Numbers on x86; the names that Docker knows (moby/sys/signal), without SIG. */
const SIGNALS: Readonly<Record<string, number>> = Object.fromEntries(
  'HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS'
    .split(' ')
    .map((name, i) => [name, i + 1])
    .concat([
      ['IOT', 6],
      ['CLD', 17],
      ['POLL', 29],
      ['RTMIN', 34],
      ['RTMAX', 64]
    ])
)

/** The number of a STOPSIGNAL; like Docker SIGTERM for one that is none. */
export function signalNumber(name: string): number {
  const upper = name.trim().toUpperCase().replace(/^SIG/, '')
  const [, base = upper, sign, offset] = /^(RTMIN|RTMAX)([+-])(\d+)$/.exec(upper) ?? []
  const first = /^\d+$/.test(base) ? Number(base) : SIGNALS[base]
  const number = (first ?? 0) + (offset === undefined ? 0 : Number(`${sign}${offset}`))
  return number >= 1 && number <= 64 ? number : SIGTERM
}

/**
 * Finds the program as Docker does, and returns its real path.
 * @throws ActionError if there is none that can be run
 */
export function findProgram(
  index: TreeIndex,
  { argv: [program = ''], env, workingDir }: DockerProcess
): string {
  const from = (folder: string): string =>
    folder.startsWith('/') ? folder : `${workingDir.replace(/\/$/, '')}/${folder}`
  // Not made shorter as text: `..` after a link leads elsewhere.
  const places = program.includes('/')
    ? [from(program)]
    : (env.get('PATH') ?? '').split(':').map(folder => `${from(folder)}/${program}`)
  const files = places.filter(place => program !== '' && index.kind(place) === 'f')
  for (const file of files) {
    const real = index.resolve(file) ?? ''
    if (((index.entry(real)?.mode ?? 0) & 0o111) !== 0) return real
  }
  throw new ActionError(
    `The image's ENTRYPOINT or CMD begins with ${JSON.stringify(program)}, ` +
      (files.length > 0
        ? `but ${files[0]} is not executable. Add RUN chmod +x ${files[0]} to the Dockerfile.`
        : `but there is no such program in the image: looked for ${places.join(', ')}. Install it in the Dockerfile, or correct the instruction.`),
    TITLE
  )
}
