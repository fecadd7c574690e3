import type { Container } from '../container.ts'

/** What os-release(5) says of the system; empty strings where it says nothing. */
export type Distribution = Readonly<{
  /** Lower-case name such as `debian`; empty if there is no os-release. */
  id: string
  /** Names of the distributions it descends from, nearest first. */
  like: readonly string[]
  version: string
  /** Name for people, such as `Debian GNU/Linux 12 (bookworm)`. */
  name: string
}>

/** Reads /etc/os-release or, as os-release(5) has it, /usr/lib/os-release. */
export async function readDistribution(container: Container): Promise<Distribution> {
  for (const path of ['etc/os-release', 'usr/lib/os-release']) {
    const real = container.index.resolve(path)
    const content = real === null ? null : await container.read(real, 64 * 1024)
    if (content) return parseOsRelease(content.toString('utf8'))
  }
  return { id: '', like: [], version: '', name: 'an unknown distribution' }
}

/** Parses os-release: shell-like assignments, values bare or in single or double quotes. */
export function parseOsRelease(text: string): Distribution {
  const values = new Map<string, string>()
  for (const line of text.split('\n')) {
    const match = /^([A-Z][A-Z0-9_]*)=(.*)$/.exec(line.trim())
    if (match?.[1] !== undefined && match[2] !== undefined) values.set(match[1], unquote(match[2]))
  }
  const value = (name: string): string => values.get(name) ?? ''
  return {
    id: value('ID').toLowerCase(),
    like: value('ID_LIKE').toLowerCase().split(/\s+/).filter(Boolean),
    version: value('VERSION_ID'),
    name:
      value('PRETTY_NAME') ||
      [value('NAME'), value('VERSION')].filter(Boolean).join(' ') ||
      'an unnamed distribution'
  }
}

function unquote(text: string): string {
  const quoted = /^(["'])(.*)\1$/.exec(text)
  if (!quoted) return text
  return quoted[1] === "'" ? (quoted[2] ?? '') : (quoted[2] ?? '').replace(/\\(["\\$`])/g, '$1')
}
