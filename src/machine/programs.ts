import type { Draft } from './draft.ts'

const FOLDERS = ['usr/local/sbin', 'usr/local/bin', 'sbin', 'usr/sbin', 'bin', 'usr/bin'] as const

/** Absolute path of the first of these programs that the image has, as an init would find it; null if it has none. */
export function findProgram(draft: Draft, ...names: readonly string[]): string | null {
  for (const name of names) {
    const folder = FOLDERS.find(folder => draft.kind(`${folder}/${name}`) === 'f')
    if (folder !== undefined) return `/${folder}/${name}`
  }
  return null
}

/** Whether a program is one that BusyBox plays, by a link to it. */
export function isBusybox(draft: Draft, path: string): boolean {
  const real = draft.index.resolve(path.slice(1))
  return real !== null && /(^|\/)busybox[^/]*$/.test(real)
}
