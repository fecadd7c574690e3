/** A line of inittab(5) that is no comment; in BusyBox' the id is the terminal and the runlevels mean nothing. */
export type InittabLine = Readonly<{ id: string; runlevels: string; action: string; process: string }>

/** Brings up what a machine needs before its services, for a BusyBox init that nobody gave anything to do. */
export const BOOT_SCRIPT = {
  path: 'usr/lib/docker-to-disk/boot',
  content: `#!/bin/sh
# Run first by BusyBox init. Most initrds hand over /proc, /sys and /dev; without one they are still to be mounted.
PATH=/sbin:/usr/sbin:/bin:/usr/bin
mounted() {
    while read -r _ place _; do
        [ "$place" = "$1" ] && return 0
    done </proc/mounts
    return 1
}
[ -r /proc/mounts ] || mount -t proc proc /proc
mounted /sys || mount -t sysfs sysfs /sys
mounted /dev || mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mounted /dev/pts || mount -t devpts -o mode=620,gid=5 devpts /dev/pts
mounted /dev/shm || mount -t tmpfs -o mode=1777,nosuid,nodev shm /dev/shm
mount -o remount,rw /
mount -a
hostname -F /etc/hostname
ifconfig lo up 2>/dev/null || ip link set lo up
`
} as const

type Options = Readonly<{
  /** Absolute path of getty; null if the image has none. */
  getty: string | null
  baud: number
  serialConsole: boolean
  /** Absolute path of openrc; null if the image has none. */
  openrc: string | null
}>

/** The lines that init obeys, in their order. */
export const readInittab = (text: string): InittabLine[] =>
  text.split('\n').flatMap(line => parseLine(line) ?? [])

function parseLine(line: string): InittabLine | null {
  const match = /^\s*([^#:\s]*):([^:]*):([^:]*):(.*)$/.exec(line)
  if (!match) return null
  const [, id = '', runlevels = '', action = '', process = ''] = match
  return { id, runlevels, action: action.trim(), process: process.trim() }
}

/** Whether something of the user's waits on a terminal, a login prompt or a shell. */
export function hasPrompt(lines: readonly InittabLine[], tty: string): boolean {
  const isLasting = ({ action }: InittabLine): boolean => /^(respawn|askfirst)$/.test(action)
  return lines
    .filter(isLasting)
    .some(({ id, process }) => id === tty || process.split(/[\s/]+/).includes(tty))
}

/** Whether something waits on whatever the kernel's console is, which is the serial port if that is a console. */
function hasConsolePrompt(lines: readonly InittabLine[]): boolean {
  const isPrompt = (process: string): boolean =>
    /^-?\S*\b(sh|ash|bash|login)$|getty\s.*\s-(\s|$)/.test(process)
  return (
    hasPrompt(lines, 'console') ||
    lines.some(
      ({ id, action, process }) =>
        id === '' && (action === 'askfirst' || (action === 'respawn' && isPrompt(process)))
    )
  )
}

/** The inittab of sysvinit with prompts on tty1 and, if wanted, ttyS0. */
export function sysvInittab(present: string, { getty, baud, serialConsole }: Options): string {
  if (getty === null) return present
  const lines = readInittab(present)
  const taken = new Set(lines.map(({ id }) => id))
  // At most four characters, by custom the last ones of the terminal's name.
  const freeId = (...ids: string[]): string => ids.find(id => !taken.has(id)) ?? 'dd01'
  const added: string[] = []
  if (!hasPrompt(lines, 'tty1')) added.push(`${freeId('1', 'tty1')}:2345:respawn:${getty} 38400 tty1`)
  if (serialConsole && !hasPrompt(lines, 'ttyS0') && !hasPrompt(lines, 'console'))
    added.push(`${freeId('S0', 'T0', 'ttS0')}:2345:respawn:${getty} -L ${baud} ttyS0 vt100`)
  return append(present, added)
}

/**
 * The inittab of BusyBox init with prompts and, where it has nothing that works to start the system with, that too. Lines
 * whose program is missing are dropped: Alpine's own calls openrc, which its container image does not have.
 */
export function busyboxInittab(
  present: string | null,
  { getty, baud, serialConsole, openrc, exists }: Options & Readonly<{ exists(path: string): boolean }>
): string {
  const isDead = (line: InittabLine | null): boolean => {
    const [program = ''] = line?.process.split(/\s+/) ?? []
    return (
      /^(sysinit|wait|once|shutdown)$/.test(line?.action ?? '') && program.startsWith('/') && !exists(program)
    )
  }
  const kept = (present ?? '')
    .split('\n')
    .filter(line => !isDead(parseLine(line)))
    .join('\n')
  const lines = readInittab(kept)
  const has = (wanted: string): boolean => lines.some(({ action }) => action === wanted)
  const added: string[] = []
  if (!has('sysinit')) {
    // What BusyBox init runs if it has no inittab.
    const script = present === null && exists('/etc/init.d/rcS') ? ['::sysinit:/etc/init.d/rcS'] : []
    if (openrc !== null)
      added.push(`::sysinit:${openrc} sysinit`, `::sysinit:${openrc} boot`, `::wait:${openrc} default`)
    else added.push(`::sysinit:/${BOOT_SCRIPT.path}`, ...script)
    if (!has('ctrlaltdel')) added.push('::ctrlaltdel:reboot')
    if (!has('shutdown'))
      added.push(openrc === null ? '::shutdown:umount -a -r' : `::shutdown:${openrc} shutdown`)
  }
  if (getty !== null) {
    if (!hasPrompt(lines, 'tty1')) added.push(`tty1::respawn:${getty} 38400 tty1`)
    if (serialConsole && !hasPrompt(lines, 'ttyS0') && !hasConsolePrompt(lines))
      added.push(`ttyS0::respawn:${getty} -L ${baud} ttyS0 vt100`)
  }
  return append(kept, added)
}

const append = (text: string, lines: readonly string[]): string =>
  lines.length === 0 ? text : `${text.trim() === '' ? '' : text.replace(/\n*$/, '\n')}${lines.join('\n')}\n`
