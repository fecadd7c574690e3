import { pack } from 'tar-stream'
import type { Container } from './container.ts'
import type { InitSystem } from './distro/init.ts'
import { ActionError } from './errors.ts'
import type { Host } from './host.ts'
import { type Entry, isExact, type TreeIndex } from './tree.ts'

/** A change to the tree. Paths have no leading slash; their parents may be links, which are resolved within the tree. */
export type Edit =
  | Readonly<{
      kind: 'file'
      path: string
      /** A string holds one byte a character. */
      content: string | Buffer
      mode: number
      uid?: number
      gid?: number
    }>
  | Readonly<{ kind: 'link'; path: string; target: string }>
  | Readonly<{ kind: 'device'; path: string; major: number; minor: number; mode: number }>
  | Readonly<{ kind: 'remove'; path: string }>

/** What the edits are planned from. Contents are null where the tree has no such regular file. */
export type EditFacts = Readonly<{
  index: TreeIndex
  initSystem: InitSystem
  files: Readonly<Record<(typeof EDITED_FILES)[number], string | null>>
  hostname: string
  /** Hash of root's password in crypt(5) form. */
  passwordHash: string | null
  /** The root filesystem's line of fstab(5). */
  rootMount: string
}>

/** Largest file that is changed: a longer one is none that such a system has. */
const LARGEST_EDITED = 1 << 20

/** Files whose present content decides what is written. */
export const EDITED_FILES = ['etc/fstab', 'etc/passwd', 'etc/shadow', 'usr/sbin/policy-rc.d'] as const

/** Reads the files that {@link planEdits} looks at. */
export async function readEditedFiles({ index, read }: Container): Promise<EditFacts['files']> {
  const contents = await Promise.all(
    EDITED_FILES.map(async path => {
      const real = index.resolve(path)
      if (real === null || index.entry(real)?.kind !== 'f') return [path, null] as const
      const content = await read(real, LARGEST_EDITED + 1)
      if (content !== null && content.length > LARGEST_EDITED) {
        throw new ActionError(
          `/${path} in the image is larger than 1 MiB, which is no file that a system can read.`,
          'Unusable root filesystem'
        )
      }
      // One character a byte, so that what is not UTF-8 in it is written back as it was.
      return [path, content?.toString('latin1') ?? null] as const
    })
  )
  return Object.fromEntries(contents) as EditFacts['files']
}

/**
 * Plans what makes a container's tree that of one machine: its own names, mounts, ids and keys, and no trace of Docker. The
 * host name, hosts and resolv.conf are written whatever the image has: Docker hides them behind empty files of its own.
 */
export function planEdits(facts: EditFacts): Edit[] {
  const { index, files } = facts
  const present = (path: string): boolean => entryAt(index, path) !== null
  const remove = (...paths: string[]): Edit[] => paths.filter(present).map(path => ({ kind: 'remove', path }))
  return [
    { kind: 'file', path: 'etc/fstab', content: fstab(files['etc/fstab'], facts.rootMount), mode: 0o644 },
    { kind: 'file', path: 'etc/hostname', content: `${facts.hostname}\n`, mode: 0o644 },
    { kind: 'file', path: 'etc/hosts', content: hosts(facts.hostname), mode: 0o644 },
    resolvConf(facts),
    ...machineId(facts),
    ...rootPassword(facts),
    ...devices(index),
    ...sshHostKeys(facts),
    // OpenRC skips its root, fsck and localmount services, and systemd changes its behaviour, where these exist.
    ...remove('.dockerenv', 'run/.containerenv'),
    // Debian's container images keep services from starting by it; in a machine they have to start.
    ...(/exit\s+101/.test(files['usr/sbin/policy-rc.d'] ?? '') ? remove('usr/sbin/policy-rc.d') : [])
  ]
}

/** The image's fstab with the root's line replaced: without one, the root stays read-only on Debian and Alpine. */
function fstab(present: string | null, rootMount: string): string {
  const lines = (present ?? '')
    .split('\n')
    .filter(line => line.trim().split(/\s+/)[1] !== '/' || line.trim().startsWith('#'))
  const kept = lines
    .filter(line => !/UNCONFIGURED FSTAB/.test(line))
    .join('\n')
    .trim()
  return `${rootMount}\n${kept === '' ? '' : `${kept}\n`}`
}

function hosts(hostname: string): string {
  return [
    '127.0.0.1\tlocalhost',
    `127.0.1.1\t${hostname}`,
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'ff02::1\tip6-allnodes',
    'ff02::2\tip6-allrouters',
    ''
  ].join('\n')
}

function resolvConf({ index, initSystem }: EditFacts): Edit {
  const path = 'etc/resolv.conf'
  const hasResolved = ['usr/lib/systemd/systemd-resolved', 'lib/systemd/systemd-resolved'].some(
    file => index.kind(file) === 'f'
  )
  return initSystem === 'systemd' && hasResolved
    ? { kind: 'link', path, target: '../run/systemd/resolve/stub-resolv.conf' }
    : { kind: 'file', path, content: '# Filled in by the DHCP client.\n', mode: 0o644 }
}

/** Cloned ids collide at the DHCP server. An empty file is what systemd fills at boot (machine-id(5)). */
function machineId({ index, initSystem }: EditFacts): Edit[] {
  const edits: Edit[] = []
  if (initSystem === 'systemd') edits.push({ kind: 'file', path: 'etc/machine-id', content: '', mode: 0o444 })
  else if (entryAt(index, 'etc/machine-id')) edits.push({ kind: 'remove', path: 'etc/machine-id' })
  if (entryAt(index, 'var/lib/dbus/machine-id')?.kind === 'f')
    edits.push({ kind: 'remove', path: 'var/lib/dbus/machine-id' })
  return edits
}

function rootPassword({ index, files, passwordHash }: EditFacts): Edit[] {
  if (passwordHash === null) return []
  for (const path of ['etc/shadow', 'etc/passwd'] as const) {
    const content = files[path]
    if (content === null || !/^root:/m.test(content)) continue
    // A function: a replacement string would read the hash's dollar signs as references.
    const changed = content.replace(/^root:[^:\n]*/m, () => `root:${passwordHash}`)
    const { mode, uid, gid } = entryAt(index, path) ?? { mode: 0o640, uid: 0, gid: 0 }
    return [{ kind: 'file', path, content: changed, mode, uid, gid }]
  }
  throw new ActionError(
    'Input root-password is given, but the image has no user root: neither /etc/shadow nor /etc/passwd names one.',
    'No user root'
  )
}

/** Docker puts an empty file at /dev/console; a kernel without devtmpfs needs the real one before init can mount /dev. */
function devices(index: TreeIndex): Edit[] {
  const wanted = [
    { path: 'dev/console', major: 5, minor: 1, mode: 0o600 },
    { path: 'dev/null', major: 1, minor: 3, mode: 0o666 }
  ]
  return wanted
    .filter(({ path }) => entryAt(index, path)?.kind !== 'c')
    .map(device => ({ kind: 'device', ...device }))
}

const KEYGEN_UNIT = `[Unit]
Description=Generate this machine's SSH host keys
ConditionPathExistsGlob=!/etc/ssh/ssh_host_*_key
Before=ssh.service sshd.service
After=systemd-remount-fs.service

[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -A
RemainAfterExit=yes

[Install]
WantedBy=multi-user.target
`

/**
 * Host keys in an image are shared by all of its machines: they go, and new ones are made at first boot. Where nothing
 * would make new ones, they stay, since without any the SSH server does not start.
 */
function sshHostKeys({ index, initSystem }: EditFacts): Edit[] {
  const keys = index.list('etc/ssh').filter(name => /^ssh_host_\w+_key(\.pub)?$/.test(name))
  if (keys.length === 0) return []
  const removals: Edit[] = keys.map(name => ({ kind: 'remove', path: `etc/ssh/${name}` }))
  if (initSystem === 'openrc') return removals
  if (initSystem !== 'systemd' || index.kind('usr/bin/ssh-keygen') !== 'f') return []
  const units = [...index.list('usr/lib/systemd/system'), ...index.list('etc/systemd/system')]
  if (units.some(unit => /^sshd?-?gen-?keys?|^sshd-keygen/.test(unit))) return removals
  const unit = 'ssh-host-keys.service'
  return [
    ...removals,
    { kind: 'file', path: `etc/systemd/system/${unit}`, content: KEYGEN_UNIT, mode: 0o644 },
    { kind: 'link', path: `etc/systemd/system/multi-user.target.wants/${unit}`, target: `../${unit}` }
  ]
}

const entryAt = (index: TreeIndex, path: string): Entry | null => {
  const real = index.resolve(path, 'keep')
  return real === null ? null : index.entry(real)
}

/**
 * Where a file of the tree really lies, so that root may write it below a mount point: all parents are folders, none a
 * link.
 * @throws ActionError if a parent is something else or the path is a folder
 */
export function placeOf(index: TreeIndex, path: string): { real: string; missingFolders: string[] } {
  const names = path.split('/')
  for (let depth = names.length - 1; depth >= 0; depth--) {
    const parent = names.slice(0, depth).join('/')
    if (entryAt(index, parent) === null) continue
    const realParent = index.resolve(parent)
    if (realParent === null || index.entry(realParent)?.kind !== 'd') {
      throw new ActionError(
        `/${path} has to be written, but /${parent} in the image is ${realParent === null ? 'a link that leads nowhere' : 'no folder'}.`,
        'Unusable root filesystem'
      )
    }
    const rest = names.slice(depth)
    const below = (count: number): string => [realParent, ...rest.slice(0, count)].filter(Boolean).join('/')
    const real = below(rest.length)
    if (index.entry(real)?.kind === 'd') {
      throw new ActionError(
        `/${path} has to be a file, but it is a folder in the image.`,
        'Unusable root filesystem'
      )
    }
    if (!isExact(real)) {
      throw new ActionError(
        `/${path} has to be written, but it leads through a name in the image that is not valid UTF-8.`,
        'Unusable root filesystem'
      )
    }
    return { real, missingFolders: rest.slice(0, -1).map((_, i) => below(i + 1)) }
  }
  return { real: path, missingFolders: [] }
}

/** Carries the edits out on a mounted copy of the indexed tree. */
export async function applyEdits(
  host: Host,
  index: TreeIndex,
  mountPoint: string,
  edits: readonly Edit[]
): Promise<void> {
  const placed = edits.map(edit => ({ edit, ...placeOf(index, edit.path) }))
  const removals = placed
    .filter(({ edit }) => edit.kind === 'remove')
    .map(({ real }) => `${mountPoint}/${real}`)
  if (removals.length > 0) await host.runAsRoot(['rm', '--force', '--', ...removals])

  const archive = pack()
  const mtime = new Date()
  const folders = new Set<string>()
  for (const { edit, real, missingFolders } of placed) {
    if (edit.kind === 'remove') continue
    for (const folder of missingFolders) {
      if (!folders.has(folder))
        archive.entry({ name: folder, type: 'directory', mode: 0o755, uid: 0, gid: 0, mtime })
      folders.add(folder)
    }
    const header = { name: real, uid: 0, gid: 0, mtime }
    if (edit.kind === 'file') {
      const { mode, uid = 0, gid = 0 } = edit
      const content = typeof edit.content === 'string' ? Buffer.from(edit.content, 'latin1') : edit.content
      archive.entry({ ...header, mode, uid, gid }, content)
    } else if (edit.kind === 'link') archive.entry({ ...header, type: 'symlink', linkname: edit.target })
    else {
      const { mode, major, minor } = edit
      archive.entry({ ...header, type: 'character-device', mode, devmajor: major, devminor: minor })
    }
  }
  archive.finalize()
  const chunks: Buffer[] = []
  for await (const chunk of archive) chunks.push(chunk as Buffer)
  await host.runAsRoot(extractArgv(mountPoint), { input: Buffer.concat(chunks) })
}

/** The command that unpacks a tar stream from its standard input with everything that belongs to a file. */
export const extractArgv = (folder: string): string[] => [
  ...['tar', '--extract', '--file', '-', '--directory', folder, '--blocking-factor', '512'],
  ...[
    '--numeric-owner',
    '--same-owner',
    '--preserve-permissions',
    '--acls',
    '--xattrs',
    '--xattrs-include',
    '*'
  ]
]
