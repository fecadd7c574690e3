import { StringDecoder } from 'node:string_decoder'
import type { Edit } from '../edits.ts'
import { stripTerminal } from '../text.ts'

/** A script that runs as root in the machine once it is up. */
export type GuestScript = Readonly<{
  /** As the user knows it: `test-script`, or the file's path. */
  name: string
  content: string | Buffer
}>

/** Folder in a throwaway copy of the disk; the published disk has none of it. */
const FOLDER = '.docker-to-disk'

/** What the kernel starts in the copy in place of init. */
export const STARTER = `/${FOLDER}/init`

const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

/**
 * Becomes init as soon as a watcher runs beside it, so that it does not matter which init it is. The watcher lives on as a child of
 * init, which knows nothing of it.
 */
const starter = (init: string): string => `#!/bin/sh
/bin/sh /${FOLDER}/watch &
exec ${quote(init)} "$@"
`

/**
 * Runs the script of a number that comes over the second serial port, once, and tells of its beginning, output and end there.
 * Nothing else needs to work: no network, no login, no agent.
 */
const watcher = (token: string): string => `#!/bin/sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb
cd /
while [ ! -c /dev/ttyS1 ]; do sleep 1; done
exec < /dev/ttyS1 > /dev/ttyS1 2>&1
stty raw -echo 2>/dev/null
last=0
while read -r word number; do
  [ "$word" = ${token} ] && [ "$number" -gt "$last" ] 2>/dev/null || continue
  last=$number
  printf '\\n%s begin %s\\n' ${token} "$number"
  "/${FOLDER}/run-$number" < /dev/null
  printf '\\n%s end %s %s\\n' ${token} "$number" "$?"
done
`

/** A script without an interpreter of its own runs under sh, and ends at the first command that fails. */
const runnable = (content: string | Buffer): Buffer => {
  const bytes = Buffer.from(content)
  return bytes.subarray(0, 2).toString('latin1') === '#!'
    ? bytes
    : Buffer.concat([Buffer.from('#!/bin/sh -e\n'), bytes])
}

/**
 * The files that a copy of the disk needs for scripts to run in it, numbered from 1.
 * @param token letters and digits that no script prints by chance
 * @param init path of the image's own init
 */
export const hookEdits = (scripts: readonly GuestScript[], token: string, init: string): Edit[] => [
  { kind: 'folder', path: FOLDER, mode: 0o755, uid: 0, gid: 0 },
  { kind: 'file', path: `${FOLDER}/init`, content: Buffer.from(starter(init)), mode: 0o755 },
  { kind: 'file', path: `${FOLDER}/watch`, content: Buffer.from(watcher(token)), mode: 0o755 },
  ...scripts.map(({ content }, i) => ({
    kind: 'file' as const,
    path: `${FOLDER}/run-${i + 1}`,
    content: runnable(content),
    mode: 0o755
  }))
]

/** The init that the kernel's command line names, the last that does; else the image's. */
export const initOf = (kernelArgs: string, init: string): string =>
  [...kernelArgs.matchAll(/(?:^| )init=(\S+)/g)].pop()?.[1] ?? init

/** Scripts of the check that what one boot writes, the next one sees. */
export const persistenceScripts = (token: string): Record<'write' | 'shutDown' | 'read', GuestScript> => ({
  write: {
    name: 'check-persistence: writing',
    content: `#!/bin/sh
echo ${token} > /${FOLDER}/written && exit 0
echo 'The root filesystem is mounted like this:'
grep ' / ' /proc/mounts
exit 1
`
  },
  shutDown: {
    name: 'check-persistence: shutting down',
    content: `#!/bin/sh
if [ -d /run/systemd/system ]; then systemctl poweroff && exit; fi
poweroff || openrc-shutdown --poweroff now || shutdown -h now || init 0
`
  },
  read: {
    name: 'check-persistence: reading',
    content: `#!/bin/sh
[ "$(cat /${FOLDER}/written)" = ${token} ] && exit 0
echo 'What the first boot wrote is not there.'
exit 1
`
  }
})

/** What every unit that failed is told by, among what else the script prints. */
const FAILED_UNIT = 'failed unit: '

/**
 * Tells which of systemd's units failed, and what they said last.
 * @param isAwaited whether systemd is to start everything first, and is expected to be there
 */
export const failedUnitsScript = (isAwaited: boolean): GuestScript => ({
  name: 'fail-on-failed-units',
  content: `#!/bin/sh
${
  isAwaited
    ? `[ -d /run/systemd/system ] || { echo 'systemd does not run here: there are no units.'; exit 0; }
systemctl is-system-running --wait > /dev/null`
    : '[ -d /run/systemd/system ] || exit 0'
}
failed=$(systemctl list-units --failed --plain --no-legend --no-pager --full) || exit
echo "$failed" | while read -r unit rest; do
  [ -n "$unit" ] || continue
  echo "${FAILED_UNIT}$unit"
  journalctl --unit "$unit" --boot --no-pager --output cat --lines 3 2>/dev/null
done
`
})

/** The units that {@link failedUnitsScript} tells of. */
export const readFailedUnits = (output: string): string[] =>
  output
    .split('\n')
    .filter(line => line.startsWith(FAILED_UNIT))
    .map(line => line.slice(FAILED_UNIT.length))

/** Characters kept of a line. */
const LONGEST_LINE = 1 << 14

/** What comes over the second serial port. */
export type GuestEvent = Readonly<
  | { kind: 'begin'; number: number }
  | { kind: 'line'; text: string }
  | { kind: 'end'; number: number; exitCode: number }
>

/** Reads what the watcher says, in chunks of any size; what comes outside of a script is none of its words. */
export class GuestReader {
  readonly #decoder = new StringDecoder('utf8')
  #pending = ''
  #running: number | null = null
  #blank = 0

  constructor(private readonly token: string) {}

  write(chunk: Buffer): GuestEvent[] {
    const lines = (this.#pending + this.#decoder.write(chunk)).split('\n')
    // A script may print megabytes without a newline.
    this.#pending = (lines.pop() ?? '').slice(-LONGEST_LINE)
    return lines.flatMap(line => this.#read(stripTerminal(line)))
  }

  #read(line: string): GuestEvent[] {
    const [word, what, digits, code] = line.split(' ')
    const number = Number(digits)
    if (word === this.token && what === 'begin') {
      this.#running = number
      this.#blank = 0
      return [{ kind: 'begin', number }]
    }
    if (this.#running === null) return []
    if (word === this.token && what === 'end' && number === this.#running) {
      this.#running = null
      // The watcher begins a line of its own: a blank one before it is no output.
      return [...this.#blanks(this.#blank - 1), { kind: 'end', number, exitCode: Number(code) }]
    }
    if (line === '') {
      this.#blank++
      return []
    }
    const before = this.#blanks(this.#blank)
    this.#blank = 0
    return [...before, { kind: 'line', text: line }]
  }

  #blanks(count: number): GuestEvent[] {
    return Array.from({ length: Math.max(count, 0) }, () => ({ kind: 'line', text: '' }))
  }
}
