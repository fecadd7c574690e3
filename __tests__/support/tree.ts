import type { Container, ImageConfig } from '../../src/container.ts'
import type { InitSystem } from '../../src/distro/init.ts'
import { Draft, type Texts } from '../../src/machine/draft.ts'
import type { MachineFacts } from '../../src/machine/facts.ts'
import { type Entry, type FileKind, roundToBlocks, TreeIndex } from '../../src/tree.ts'

/**
 * A tree described by paths: `null` is a folder, `-> target` a link, `device` a character device, a number a file of that
 * many bytes, any other text a file with that content. Parent folders come by themselves.
 */
export type TreeSketch = Readonly<Record<string, string | number | null>>

export function sketchIndex(sketch: TreeSketch): TreeIndex {
  const index = new TreeIndex()
  const seen = new Set<string>()
  const add = (path: string, kind: FileKind, size: number, link: string | null): void => {
    if (seen.has(path)) return
    seen.add(path)
    const entry: Entry = { kind, mode: kind === 'd' ? 0o755 : 0o644, uid: 0, gid: 0, size, link }
    index.add(path, entry, kind === 'f' ? roundToBlocks(size) : 0, true)
  }
  for (const [path, what] of Object.entries(sketch)) {
    const parts = path.split('/')
    for (const depth of parts.slice(1).keys()) add(parts.slice(0, depth + 1).join('/'), 'd', 0, null)
    if (what === null) add(path, 'd', 0, null)
    else if (typeof what === 'number') add(path, 'f', what, null)
    else if (what === 'device') add(path, 'c', 0, null)
    else if (what.startsWith('-> ')) add(path, 'l', what.length - 3, what.slice(3))
    else add(path, 'f', Buffer.byteLength(what), null)
  }
  return index
}

/** A draft on the sketch, all of whose texts can be read. */
export function sketchDraft(sketch: TreeSketch): Draft {
  const index = sketchIndex(sketch)
  const text = (path: string): string | null => {
    const what = sketch[index.resolve(path) ?? '']
    return typeof what === 'string' && index.kind(path) === 'f' ? what : null
  }
  return new Draft(index, { get: text } as Texts)
}

/** A container whose files hold what the sketch says; a number reads as an x86-64 ELF file. */
export function sketchContainer(sketch: TreeSketch): Container {
  return {
    image: 'sketch',
    name: 'sketch',
    index: sketchIndex(sketch),
    archive: { argv: ['false'], asRoot: false },
    keepsHoles: true,
    close: async () => {},
    read: async path => {
      const what = sketch[path]
      if (typeof what === 'number') return elfHeader(62)
      return what === null || what === undefined ? null : Buffer.from(what, 'latin1')
    }
  }
}

/** The first bytes of an ELF program for a machine (e_machine). */
export function elfHeader(machine: number): Buffer {
  const header = Buffer.alloc(64)
  header.write('\x7fELF\x02\x01\x01', 'latin1')
  header.writeUInt16LE(machine, 18)
  return header
}

/** Facts of a machine that wants nothing but to start. */
export const plainFacts = (system: InitSystem = 'systemd'): MachineFacts => ({
  distribution: { id: 'debian', like: [], version: '12', name: 'Debian GNU/Linux 12 (bookworm)' },
  init: { path: '/sbin/init', program: 'sbin/init', system },
  hostname: 'appliance',
  passwordHash: null,
  rootMount: 'UUID=u / ext4 rw,relatime,errors=remount-ro 0 1',
  serialConsole: true,
  network: 'dhcp',
  user: null,
  authorizedKeys: [],
  service: null
})

/** The configuration of an image that says nothing of a process. */
export const plainConfig: ImageConfig = {
  architecture: 'amd64',
  entrypoint: [],
  cmd: [],
  env: [],
  user: '',
  workingDir: '',
  stopSignal: '',
  volumes: [],
  exposedPorts: [],
  onBuild: false
}
