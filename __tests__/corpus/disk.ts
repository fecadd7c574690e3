import {
  closeSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { asRoot } from '../support/e2e.ts'

/** Where the one partition begins. */
const PARTITION = 1 << 20

const CONFIG = 'boot/extlinux/syslinux.cfg'

/** A raw disk to be changed, the copy of a base. */
export class Disk {
  constructor(readonly path: string) {}

  /** Overwrites bytes of the disk. */
  poke(offset: number, bytes: Buffer): void {
    const disk = openSync(this.path, 'r+')
    try {
      writeSync(disk, bytes, 0, bytes.length, offset)
    } finally {
      closeSync(disk)
    }
  }

  /** Overwrites bytes of the partition's filesystem. */
  pokeFilesystem(offset: number, bytes: Buffer): void {
    this.poke(PARTITION + offset, bytes)
  }

  /** Takes bytes from the disk's end. */
  cut(bytes: number): void {
    truncateSync(this.path, statSync(this.path).size - bytes)
  }

  /** Has debugfs(8) carry out a request on the filesystem. */
  debugfs(request: string): void {
    asRoot('debugfs', '-w', '-R', request, `${this.path}?offset=${PARTITION}`)
  }

  /** Changes files of the mounted filesystem. */
  files(change: (files: Files) => void): void {
    const at = mkdtempSync(join(tmpdir(), 'disk-'))
    asRoot('mount', '-o', `loop,offset=${PARTITION}`, this.path, at)
    try {
      change(new Files(at))
    } finally {
      asRoot('umount', at)
      rmSync(at, { recursive: true })
    }
  }
}

/** The files of a disk of this repository's own making: their names are trusted. Paths are without a slash in front. */
export class Files {
  constructor(readonly at: string) {}

  inside(path: string): string {
    return join(this.at, path)
  }

  read(path: string): string {
    return asRoot('cat', this.inside(path))
  }

  /** Puts a file in the place of what is there, be it a link. */
  write(path: string, content: string | Buffer, mode = '644'): void {
    const folder = mkdtempSync(join(tmpdir(), 'file-'))
    try {
      writeFileSync(join(folder, 'file'), content)
      asRoot('install', '-D', `--mode=${mode}`, join(folder, 'file'), this.inside(path))
    } finally {
      rmSync(folder, { recursive: true })
    }
  }

  /** @throws Error if the change changes nothing, and so would not be what it is meant to be */
  change(path: string, change: (text: string) => string): void {
    const before = this.read(path)
    const after = change(before)
    if (after === before) throw new Error(`${path} stays as it is:\n${before}`)
    this.write(path, after)
  }

  append(path: string, ...lines: string[]): void {
    this.change(path, text => `${text}${lines.join('\n')}\n`)
  }

  /** A shell script that may be run. */
  script(path: string, ...lines: string[]): void {
    this.write(path, `#!/bin/sh\n${lines.join('\n')}\n`, '755')
  }

  remove(...paths: string[]): void {
    asRoot('rm', '-r', ...paths.map(path => this.inside(path)))
  }

  /** Takes the attribute from a loader's file by which nothing changes it (chattr(1)). */
  unlock(path: string): void {
    asRoot('chattr', '-i', this.inside(path))
  }

  /** In bytes. */
  size(path: string): number {
    return Number(asRoot('stat', '--format=%s', this.inside(path)))
  }

  truncate(path: string, size: number): void {
    asRoot('truncate', `--size=${size}`, this.inside(path))
  }

  /** Makes a folder anew, with the same files in it. */
  remakeFolder(path: string): void {
    const old = `${this.inside(path)}.old`
    asRoot('mv', this.inside(path), old)
    asRoot('mkdir', this.inside(path))
    for (const name of asRoot('ls', '-A', old).trimEnd().split('\n')) {
      asRoot('chattr', '-i', join(old, name))
      asRoot('mv', join(old, name), this.inside(path))
    }
    asRoot('rmdir', old)
  }

  /** The path of the one file whose name fits. @param pattern with `*` in the last part */
  only(pattern: string): string {
    const [folder, name = ''] = [pattern.slice(0, pattern.lastIndexOf('/')), pattern.split('/').pop()]
    const [begin = '', end = ''] = name.split('*')
    const fitting = asRoot('ls', '-A', this.inside(folder))
      .trimEnd()
      .split('\n')
      .filter(file => file.startsWith(begin) && file.endsWith(end))
    if (fitting.length !== 1) throw new Error(`${pattern} fits ${fitting.length} files.`)
    return `${folder}/${fitting[0]}`
  }

  link(path: string, target: string): void {
    asRoot('mkdir', '-p', join(this.inside(path), '..'))
    asRoot('ln', '-sfn', target, this.inside(path))
  }

  /** Overwrites a file's blocks where they lie, from an offset, so that its size and place stay. */
  overwrite(path: string, content: Buffer, offset = 0): void {
    const folder = mkdtempSync(join(tmpdir(), 'file-'))
    try {
      writeFileSync(join(folder, 'file'), content)
      asRoot(
        ...['dd', `if=${join(folder, 'file')}`, `of=${this.inside(path)}`, 'conv=notrunc', 'bs=4096'],
        ...['oflag=seek_bytes', `seek=${offset}`]
      )
    } finally {
      rmSync(folder, { recursive: true })
    }
  }

  /** Changes the boot loader's configuration. */
  loader(change: (text: string) => string): void {
    this.change(CONFIG, change)
  }

  /** Adds arguments to the kernel's command line. */
  args(text: string): void {
    this.loader(config => config.replace(/^ *APPEND .*$/gm, line => `${line} ${text}`))
  }

  /** A unit of systemd, wanted or required by another. */
  unit(name: string, lines: readonly string[], wantedBy?: string, by: 'wants' | 'requires' = 'wants'): void {
    this.write(`etc/systemd/system/${name}`, `${lines.join('\n')}\n`)
    if (wantedBy !== undefined) this.link(`etc/systemd/system/${wantedBy}.${by}/${name}`, `../${name}`)
  }
}
