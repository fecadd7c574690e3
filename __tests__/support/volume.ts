import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { asRoot } from './e2e.ts'

const MIB = 1024 ** 2
const BALLAST = 'ballast'

/** A filesystem of its own that can be filled up, in a sparse file: it looks as large as asked for. */
export class Volume {
  /** Where it is mounted. */
  readonly path: string
  readonly #folder = mkdtempSync(join(tmpdir(), 'volume-'))

  constructor(mib: number, owner: string) {
    const file = join(this.#folder, 'volume.img')
    this.path = join(this.#folder, 'mounted')
    writeFileSync(file, '')
    truncateSync(file, mib * MIB)
    // Nothing reserved for root, who writes the disk's content; no journal, whose commits would defer errors.
    execFileSync('mke2fs', ['-q', '-F', '-t', 'ext4', '-m', '0', '-O', '^has_journal', file], {
      env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` }
    })
    mkdirSync(this.path)
    asRoot('mount', '-o', 'loop', file, this.path)
    asRoot('rmdir', join(this.path, 'lost+found'))
    asRoot('chown', owner, this.path)
    asRoot('chmod', '755', this.#folder)
  }

  /** Takes all of the space but for that many bytes. */
  fill(leave = 0): void {
    for (let i = 0; i < 20; i++) {
      const { bavail, bsize } = statfsSync(this.path)
      const bytes = bavail * bsize - leave
      if (bytes <= 0) return
      try {
        asRoot('fallocate', '--length', String(bytes), join(this.path, `${BALLAST}-${i}`))
      } catch {
        // Others write meanwhile, and the ballast's own block lists take some: what was to be had is taken.
      }
    }
  }

  /** Gives the space back. */
  drain(): void {
    for (const name of readdirSync(this.path))
      if (name.startsWith(BALLAST)) asRoot('rm', join(this.path, name))
  }

  /** What lies in it. */
  get names(): string[] {
    return readdirSync(this.path)
      .filter(name => !name.startsWith(BALLAST))
      .sort()
  }

  empty(): void {
    for (const name of readdirSync(this.path)) asRoot('rm', '-rf', join(this.path, name))
  }

  close(): void {
    asRoot('umount', this.path)
    rmSync(this.#folder, { recursive: true })
  }
}
