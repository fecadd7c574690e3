const UNITS: Record<string, number> = {
  K: 1024,
  M: 1024 ** 2,
  G: 1024 ** 3,
  T: 1024 ** 4,
  KB: 1000,
  MB: 1000 ** 2,
  GB: 1000 ** 3,
  TB: 1000 ** 4
}

export const MIB = 1024 ** 2

/**
 * Bytes named by a size such as `1500M`, `2G`, `2GiB` or `2GB`; null if it is no such size.
 * A bare letter means a power of 1024, as in QEMU and mkosi; `GB` is 1000³. A number without a unit is no size: nobody
 * agrees on whether it counts bytes or MiB.
 */
export function parseSize(text: string): number | null {
  const match = /^(\d{1,12}(?:\.\d{1,3})?)\s*([KMGT])(i?B)?$/i.exec(text.trim())
  if (!match) return null
  const [, number, prefix, suffix] = match
  const unit = suffix?.toUpperCase() === 'B' ? `${prefix}B` : `${prefix}`
  const bytes = Number(number) * (UNITS[unit.toUpperCase()] ?? Number.NaN)
  return Number.isSafeInteger(Math.round(bytes)) ? Math.round(bytes) : null
}

/** A byte count for people, such as `1.4 GiB`. */
export function formatBytes(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB']
  const power = Math.min(units.length - 1, bytes > 0 ? Math.floor(Math.log2(bytes) / 10) : 0)
  const value = bytes / 1024 ** power
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[power]}`
}

/** Seconds for people, such as `3.2 s` or `2 min 5 s`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds)
  return `${Math.floor(whole / 60)} min ${whole % 60} s`
}

/** An argv as a line that a POSIX shell would read back; for logs and instructions only, never to be run. */
export function quoteArgv(argv: readonly string[]): string {
  return argv.map(arg => (/^[\w@%+=:,./-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", `'\\''`)}'`)).join(' ')
}

const ESCAPES =
  /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[PX^_][^\u001b]*\u001b\\|[ -/]*[0-~])/g
// C1 controls too: U+0085 is white space and U+009B begins escape sequences. U+2028 and U+2029 separate lines.
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029]/g

/** The text without terminal escape sequences and control characters other than tab and newline. */
export const stripTerminal = (text: string): string => text.replace(ESCAPES, '').replace(CONTROLS, '')

/**
 * A foreign line made safe to print in a workflow log.
 *
 * The runner obeys lines that begin with `::` (after white space) and, in the older syntax, `##[` anywhere in a line. A
 * zero-width space breaks both and leaves the line readable.
 */
export const inert = (line: string): string =>
  stripTerminal(line)
    .replace(/^(\s*):(?=:)/, '$1\u200b:')
    .replaceAll('##[', '#\u200b#[')

/** As {@link inert} for text of several lines. */
export const inertText = (text: string): string => text.split('\n').map(inert).join('\n')

/** A value as inline text of a Markdown table cell. */
export const markdownCell = (value: string): string =>
  stripTerminal(value)
    .replace(/[\\`*_{}[\]<>|#!~$]/g, '\\$&')
    .replaceAll('\n', ' ')

/** `sort -V` order of two version strings: runs of digits by number, the rest by character; `~` before the end. */
export function compareVersions(a: string, b: string): number {
  const parts = (text: string): string[] => text.match(/\d+|\D+/g) ?? []
  const [left, right] = [parts(a), parts(b)]
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const [x = '', y = ''] = [left[i], right[i]]
    if (x === y) continue
    if (x.startsWith('~') !== y.startsWith('~')) return x.startsWith('~') ? -1 : 1
    if (/^\d/.test(x) && /^\d/.test(y)) {
      const difference = BigInt(x) - BigInt(y)
      if (difference !== 0n) return difference < 0n ? -1 : 1
      continue
    }
    return x < y ? -1 : 1
  }
  return 0
}

/** A table in Markdown; the cells are Markdown already. */
export const markdownTable = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |`).join('\n')
