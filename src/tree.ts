/** Kinds of file, by the letter that find(1) prints for `%y`. */
export type FileKind = 'f' | 'd' | 'l' | 'c' | 'b' | 'p' | 's'

export type Entry = Readonly<{
  kind: FileKind
  /** Permission bits, setuid and sticky included. */
  mode: number
  uid: number
  gid: number
  /** Apparent size in bytes. */
  size: number
  /** Target of a symbolic link as it is written in the image. */
  link: string | null
}>

/** What a file tree takes on an ext filesystem with blocks of 4 KiB. */
export type Measure = Readonly<{
  /** Inodes; names that share one count once. */
  inodes: number
  /** Bytes of file and directory blocks; holes take none. */
  bytes: number
}>

/** Block size of every root filesystem made here, in bytes. */
export const BLOCK = 4096

/** Deepest chain of symbolic links that is followed, as in Linux (path_resolution(7)). */
const MAX_LINKS = 40

/**
 * Names, kinds and links of a root filesystem, held in memory.
 *
 * Paths have no leading slash; the root is the empty path. A path is resolved here, component by component and within the
 * tree, before anything on the host is touched with it: no link of the image leads out.
 */
export class TreeIndex {
  readonly #entries = new Map<string, Entry>()
  /** Names in each folder; made when first asked for. */
  #children: Map<string, string[]> | null = null
  #inodes = 0
  #bytes = 0

  /**
   * Adds a file.
   * @param path relative path, without `./`
   * @param allocated bytes of allocated blocks, at most the apparent size rounded up; 0 for a further name of an inode
   *   that was added before
   * @param counted whether the name brings an inode of its own
   */
  add(path: string, entry: Entry, allocated: number, counted: boolean): void {
    this.#children = null
    this.#entries.set(
      exactName(path),
      entry.link === null ? entry : { ...entry, link: exactName(entry.link) }
    )
    if (!counted) return
    this.#inodes++
    // A link of up to 59 bytes lies in its inode. An extent tree, a directory's index or an xattr block is not visible from
    // here: one block for every file above 64 MiB and what the layout adds on top stand for them.
    const needsBlocks = entry.kind === 'f' || entry.kind === 'd' || (entry.kind === 'l' && entry.size > 59)
    if (needsBlocks) this.#bytes += roundToBlocks(entry.kind === 'd' ? Math.max(allocated, BLOCK) : allocated)
    if (allocated > 64 * 1024 ** 2) this.#bytes += BLOCK
  }

  get measure(): Measure {
    return { inodes: this.#inodes, bytes: this.#bytes }
  }

  /** The entry of a path whose parents are no links; does not follow the path itself. */
  entry(path: string): Entry | null {
    return path === '' ? ROOT : (this.#entries.get(path) ?? null)
  }

  /**
   * The real path that a path names as the booted machine would see it, or null if it leads nowhere: a missing file, a
   * loop of links, a file used as a folder. `..` above the root stays at the root.
   * @param last whether a link in the last component is followed; a missing last component is then no path
   */
  resolve(path: string, last: 'follow' | 'keep' = 'follow'): string | null {
    let pending = path.split('/')
    const real: string[] = []
    let links = 0
    while (pending.length > 0) {
      const [name = '', ...rest] = pending
      pending = rest
      if (name === '' || name === '.') continue
      if (name === '..') {
        real.pop()
        continue
      }
      const parent = this.entry(real.join('/'))
      if (parent?.kind !== 'd') return null
      const isLast = rest.every(part => part === '' || part === '.')
      const candidate = [...real, name].join('/')
      const entry = this.entry(candidate)
      if (entry?.kind === 'l' && entry.link !== null && !(isLast && last === 'keep')) {
        if (++links > MAX_LINKS) return null
        if (entry.link.startsWith('/')) real.length = 0
        pending = [...entry.link.split('/'), ...pending]
        continue
      }
      if (entry === null && !(isLast && last === 'keep')) return null
      real.push(name)
    }
    return real.join('/')
  }

  /** Kind of what a path leads to, links followed; null if nowhere. */
  kind(path: string): FileKind | null {
    const real = this.resolve(path)
    return real === null ? null : (this.entry(real)?.kind ?? null)
  }

  /** Names in the folder that a path leads to, sorted; none if it is no folder. */
  list(path: string): string[] {
    const real = this.resolve(path)
    if (real === null) return []
    this.#children ??= this.#listAll()
    return [...(this.#children.get(real) ?? [])].sort()
  }

  /** One pass for all folders: an image may well have thousands that are asked for, among a million names. */
  #listAll(): Map<string, string[]> {
    const children = new Map<string, string[]>()
    for (const path of this.#entries.keys()) {
      const slash = path.lastIndexOf('/')
      const parent = slash < 0 ? '' : path.slice(0, slash)
      const names = children.get(parent)
      if (names) names.push(path.slice(slash + 1))
      else children.set(parent, [path.slice(slash + 1)])
    }
    return children
  }
}

/**
 * A name as the index knows it. Bytes that are no UTF-8 are all decoded to the same character: such a name could pass for
 * another, so that a link is taken for the folder beside it. It gets a NUL, which no real name has, and so stands for itself
 * alone; {@link isExact} tells.
 */
const exactName = (path: string): string => path.replaceAll('\ufffd', '\0')

/** Whether a path of the index is, byte for byte, the path of the file. */
export const isExact = (path: string): boolean => !path.includes('\0')

const ROOT: Entry = { kind: 'd', mode: 0o755, uid: 0, gid: 0, size: 0, link: null }

export const roundToBlocks = (bytes: number): number => Math.ceil(bytes / BLOCK) * BLOCK

/** Format for find(1) that {@link FindParser} reads: fields end with NUL, since names may hold anything else. */
export const FIND_FORMAT = ['%y', '%m', '%U', '%G', '%s', '%b', '%n', '%i', '%P', '%l']
  .map(field => `${field}\\0`)
  .join('')
const FIELDS = 10

/** Reads the output of `find ROOT -printf FIND_FORMAT` into an index, in chunks of any size. */
export class FindParser {
  readonly index = new TreeIndex()
  readonly #seen = new Set<string>()
  #rest: Buffer = Buffer.alloc(0)
  #fields: string[] = []

  write(chunk: Buffer): void {
    const data = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk
    let from = 0
    for (let at = data.indexOf(0, from); at !== -1; at = data.indexOf(0, from)) {
      this.#fields.push(data.toString('utf8', from, at))
      from = at + 1
      if (this.#fields.length === FIELDS) {
        this.#add(this.#fields)
        this.#fields = []
      }
    }
    this.#rest = data.subarray(from)
  }

  #add([
    kind = '',
    mode = '',
    uid = '',
    gid = '',
    size = '',
    blocks = '',
    names = '',
    inode = '',
    path = '',
    link = ''
  ]: string[]): void {
    if (path === '') return
    const first = Number(names) < 2 || kind === 'd' || !this.#seen.has(inode)
    if (first && Number(names) > 1 && kind !== 'd') this.#seen.add(inode)
    this.index.add(
      path,
      {
        kind: kind as FileKind,
        mode: Number.parseInt(mode, 8),
        uid: Number(uid),
        gid: Number(gid),
        size: Number(size),
        link: kind === 'l' ? link : null
      },
      Math.min(Number(blocks) * 512, roundToBlocks(Number(size))),
      first
    )
  }
}
