import { pack } from 'tar-stream'
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
  | Readonly<{ kind: 'folder'; path: string; mode: number; uid: number; gid: number }>
  | Readonly<{ kind: 'link'; path: string; target: string }>
  | Readonly<{ kind: 'device'; path: string; major: number; minor: number; mode: number }>
  | Readonly<{ kind: 'remove'; path: string }>

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

/** As {@link placeOf}, of a folder: where one is, through links or not, or would be made. */
function placeOfFolder(index: TreeIndex, path: string): ReturnType<typeof placeOf> {
  const real = index.resolve(path)
  if (real === null || index.entry(real)?.kind !== 'd' || !isExact(real)) {
    if (entryAt(index, path) !== null)
      throw new ActionError(
        `/${path} has to be a folder, but it is none in the image.`,
        'Unusable root filesystem'
      )
    return placeOf(index, path)
  }
  return { real, missingFolders: [] }
}

/** Carries the edits out on a mounted copy of the indexed tree, in their order. */
export async function applyEdits(
  host: Host,
  index: TreeIndex,
  mountPoint: string,
  edits: readonly Edit[]
): Promise<void> {
  const placed = edits.map(edit => ({
    edit,
    ...(edit.kind === 'folder' ? placeOfFolder : placeOf)(index, edit.path)
  }))
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
    } else if (edit.kind === 'folder') {
      const { mode, uid, gid } = edit
      archive.entry({ ...header, type: 'directory', mode, uid, gid })
      folders.add(real)
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
