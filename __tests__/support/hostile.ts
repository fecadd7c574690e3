import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { pack } from 'tar-stream'
import { elfHeader } from './tree.ts'

type Pack = ReturnType<typeof pack>

/** A file of an image as tar has it; `bytes` of zeros where the content does not matter. */
export type TarFile = Readonly<{
  header: Omit<Parameters<Pack['entry']>[0], 'size' | 'mtime'>
  content?: string | Buffer
}>

export const file = (name: string, content: string | Buffer = '', mode = 0o644): TarFile => ({
  header: { name, mode },
  content
})
export const folder = (name: string): TarFile => ({ header: { name, type: 'directory', mode: 0o755 } })
export const link = (name: string, linkname: string): TarFile => ({
  header: { name, type: 'symlink', linkname, mode: 0o777 }
})
export const hardLink = (name: string, linkname: string): TarFile => ({
  header: { name, type: 'link', linkname }
})
export const fifo = (name: string): TarFile => ({ header: { name, type: 'fifo', mode: 0o644 } })
export const device = (
  name: string,
  kind: 'character' | 'block' = 'character',
  devmajor = 1,
  devminor = 3
): TarFile => ({ header: { name, type: `${kind}-device`, devmajor, devminor, mode: 0o666 } })

/** The least that counts as a system, with all files that are changed on the way. */
export const SYSTEM: readonly TarFile[] = [
  folder('etc'),
  file('etc/fstab', '# image fstab\n'),
  file('etc/hostname', 'image-host\n'),
  file('etc/hosts', ''),
  file('etc/machine-id', '0123456789abcdef0123456789abcdef\n'),
  file('etc/passwd', 'root:x:0:0:r\u00e9my:/root:/bin/sh\n'),
  file('etc/shadow', 'root:*:1:0:99999:7:::\n', 0o640),
  file('usr/lib/os-release', 'ID=hostile\nPRETTY_NAME="Hostile 1"\n'),
  file('sbin/init', elfHeader(62), 0o755),
  file('boot/vmlinuz-1.0', 'kernel'),
  file('boot/initrd.img-1.0', 'initrd'),
  folder('dev'),
  folder('tmp')
]

/** The system with files of its own: each takes the place of what lies there and below. */
export const withFiles = (files: readonly TarFile[]): TarFile[] => [
  ...SYSTEM.filter(
    ({ header }) =>
      !files.some(
        ({ header: { name, type } }) =>
          name === header.name ||
          (type !== 'directory' && header.name.startsWith(`${name}/`)) ||
          (header.type === undefined && name.startsWith(`${header.name}/`))
      )
  ),
  ...files
]

/**
 * Makes an image of a tar archive that is written as it is read.
 * A character U+0001 in a name becomes the byte 0xFF and U+0002 to U+0008 those below, which are no UTF-8.
 */
export async function importImage(tag: string, files: Iterable<TarFile>): Promise<void> {
  const docker = spawn('docker', ['import', '-', tag], { stdio: ['pipe', 'ignore', 'pipe'] })
  let words = ''
  docker.stderr.on('data', chunk => {
    words += chunk
  })
  const exited = once(docker, 'exit')
  const archive = pack()
  const writing = (async () => {
    for await (const chunk of rewrite(archive))
      if (!docker.stdin.write(chunk)) await once(docker.stdin, 'drain')
    docker.stdin.end()
  })()
  // Docker refuses some archives before their end; its words are the error.
  docker.stdin.on('error', () => {})
  for (const { header, content = '' } of files) {
    const full = { ...header, mtime: new Date(0) }
    await new Promise<void>((resolve, reject) => {
      archive.entry(full, Buffer.from(content as string), error => (error ? reject(error) : resolve()))
    })
  }
  archive.finalize()
  await Promise.race([writing, exited])
  const [code] = await exited
  if (code !== 0) throw new Error(`docker import: ${words}`)
}

/** Gives each header of a tar stream the bytes that no string can name. Takes archives of headers without control characters else. */
async function* rewrite(source: AsyncIterable<unknown>): AsyncGenerator<Buffer> {
  for await (const data of source) {
    const chunk = data as Buffer
    const isHeader = chunk.length === 512 && chunk.toString('latin1', 257, 262) === 'ustar'
    if (
      !isHeader ||
      !/[\x01-\x08]/.test(chunk.toString('latin1', 0, 100) + chunk.toString('latin1', 157, 257))
    ) {
      yield chunk
      continue
    }
    const header = Buffer.from(chunk)
    for (const [from, to] of [
      [0, 100],
      [157, 257]
    ] as const) {
      for (let at = from; at < to; at++) {
        const byte = header[at] ?? 0
        if (byte > 0 && byte < 9) header[at] = 256 - byte
      }
    }
    header.fill(' ', 148, 156)
    const sum = header.reduce((total, byte) => total + byte, 0)
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
    yield header
  }
}

export const removeImage = (tag: string): void => {
  execFileSync('docker', ['image', 'rm', '--force', tag], { stdio: 'ignore' })
}

/** All that can be changed of files: a line each, for a comparison. */
export function fingerprint(path: string): string[] {
  const stat = lstatSync(path)
  const content = stat.isFile()
    ? createHash('sha256').update(readFileSync(path)).digest('hex')
    : stat.isSymbolicLink()
      ? readlinkSync(path)
      : ''
  const own = [
    path,
    stat.mode.toString(8),
    stat.uid,
    stat.gid,
    stat.ino,
    stat.mtimeMs,
    stat.ctimeMs,
    content
  ].join(' ')
  return [
    own,
    ...(stat.isDirectory()
      ? readdirSync(path)
          .sort()
          .flatMap(name => fingerprint(join(path, name)))
      : [])
  ]
}
