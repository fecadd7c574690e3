import type { Container } from '../container.ts'
import type { Edit } from '../edits.ts'
import { ActionError } from '../errors.ts'
import type { Entry, FileKind, TreeIndex } from '../tree.ts'

/** Owner and permission bits; what is left out is that of the file that is there, else root's and 0644. */
export type FileStatus = Readonly<{ mode?: number; uid?: number; gid?: number }>

/** Largest file that is changed: a longer one is none that such a system has. */
const LARGEST_TEXT = 1 << 20

/** Contents of files by path, in one character a byte; null where the tree has no such regular file. */
export type Texts = ReadonlyMap<string, string | null>

/**
 * Reads the files whose present content decides what is written.
 * @throws ActionError if one is larger than any system can read
 */
export async function readTexts({ index, read }: Container, paths: readonly string[]): Promise<Texts> {
  const texts = paths.map(async path => {
    const real = index.resolve(path)
    if (real === null || index.entry(real)?.kind !== 'f') return [path, null] as const
    const content = await read(real, LARGEST_TEXT + 1)
    if (content !== null && content.length > LARGEST_TEXT) {
      throw new ActionError(
        `/${path} in the image is larger than 1 MiB, which is no file that a system can read.`,
        'Unusable root filesystem'
      )
    }
    // One character a byte, so that what is not UTF-8 in it is written back as it was.
    return [path, content?.toString('latin1') ?? null] as const
  })
  return new Map(await Promise.all(texts))
}

/**
 * The tree as it is to become: what is planned to be written and removed, on top of what the image has. A later step sees
 * what an earlier one wrote. Paths have no leading slash; nothing is touched until the edits are applied.
 */
export class Draft {
  readonly #texts: Texts
  readonly #edits = new Map<string, Edit>()
  /** What the user should know of the plan, each a sentence or two. */
  readonly warnings: string[] = []

  constructor(
    /** The image's own tree, without the edits. */
    readonly index: TreeIndex,
    texts: Texts
  ) {
    this.#texts = texts
  }

  /** In the order in which they were planned; one a path. */
  get edits(): Edit[] {
    return [...this.#edits.values()]
  }

  /** What the path itself is in the image, a last link not followed; null if it is absent. */
  entry(path: string): Entry | null {
    const real = this.index.resolve(path, 'keep')
    return real === null ? null : this.index.entry(real)
  }

  /** Kind of what a path leads to, links followed, with the edits; null if nowhere. */
  kind(path: string): FileKind | null {
    const edit = this.#edits.get(path)
    if (edit === undefined || edit.kind === 'link') return this.index.kind(path)
    return { file: 'f', folder: 'd', device: 'c', remove: null }[edit.kind] as FileKind | null
  }

  /** Names in a folder of the image, sorted; none if it is no folder. */
  list(path: string): string[] {
    return this.index.list(path)
  }

  /** Content of a file, with the edits; null if it is absent. Only of files that were read or written. */
  text(path: string): string | null {
    const edit = this.#edits.get(path)
    if (edit?.kind === 'file') return edit.content.toString('latin1')
    if (edit !== undefined) return null
    const text = this.#texts.get(path)
    if (text === undefined) throw new Error(`/${path} was not read.`)
    return text
  }

  /** Writes a file; a string holds one byte a character. */
  write(path: string, content: string | Buffer, status: FileStatus = {}): void {
    const before = this.#edits.get(path)
    // A link is replaced by the file: who may read what it leads to stays as it is.
    const present = before?.kind === 'file' ? before : this.index.entry(this.index.resolve(path) ?? '')
    const { mode = 0o644, uid = 0, gid = 0 } = { ...(isRegular(present) ? present : {}), ...status }
    this.#edits.set(path, { kind: 'file', path, content, mode, uid, gid })
  }

  /** Makes a symbolic link in place of what is there. */
  link(path: string, target: string): void {
    this.#edits.set(path, { kind: 'link', path, target })
  }

  /** Makes a folder, or gives the one that is there this mode and owner. Its parents are made as root's, 0755. */
  folder(path: string, { mode = 0o755, uid = 0, gid = 0 }: FileStatus = {}): void {
    this.#edits.set(path, { kind: 'folder', path, mode, uid, gid })
  }

  device(path: string, numbers: Readonly<{ major: number; minor: number; mode: number }>): void {
    this.#edits.set(path, { kind: 'device', path, ...numbers })
  }

  /** Removes what is there, if anything. */
  remove(...paths: readonly string[]): void {
    for (const path of paths) {
      this.#edits.delete(path)
      if (this.entry(path) !== null) this.#edits.set(path, { kind: 'remove', path })
    }
  }

  warn(text: string): void {
    this.warnings.push(text)
  }
}

const isRegular = (what: Edit | Entry | null | undefined): boolean =>
  what?.kind === 'f' || what?.kind === 'file'
