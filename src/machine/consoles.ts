import type { Draft } from './draft.ts'
import type { MachineFacts } from './facts.ts'
import { BOOT_SCRIPT, busyboxInittab, readInittab, sysvInittab } from './inittab.ts'
import { findProgram } from './programs.ts'
import { enable, isUsable, planUnits } from './systemd.ts'

const RUNIT_SERIAL = 'etc/sv/getty-ttyS0/run'

export const CONSOLES_TEXTS = ['etc/inittab', 'etc/securetty', RUNIT_SERIAL] as const

/** Bits per second on the serial line, as the boot loader and the kernel have it. */
const BAUD = 115_200

/** A program that asks for a name on a terminal: util-linux' agetty takes the same arguments as BusyBox' getty. */
const findGetty = (draft: Draft): string | null => findProgram(draft, 'getty', 'agetty')

/** Plans login prompts on tty1 and, if wanted, the first serial port, in the way of the image's init. */
export function planConsoles(draft: Draft, facts: MachineFacts): void {
  const { system, program } = facts.init
  // An init of the user's own knows what it wants on its consoles.
  if (system === 'other') return
  if (findGetty(draft) === null || findProgram(draft, 'login') === null) {
    draft.warn(
      'The image has no getty or no login program: nobody can log in at its consoles. Install them: util-linux and login on ' +
        'Debian and Ubuntu, util-linux elsewhere.'
    )
  }
  if (system === 'systemd') planSystemd(draft)
  else if (system === 'runit') planRunit(draft, facts)
  else if (system === 'openrc' && program.endsWith('/openrc-init')) planOpenrcInit(draft, facts)
  else planInittab(draft, facts)
  if (system === 'openrc') planRunlevels(draft)
  if (facts.serialConsole && system !== 'systemd') planSecuretty(draft)
}

/** The serial port's prompt comes by itself: systemd-getty-generator(8) reads the kernel's consoles. */
function planSystemd(draft: Draft): void {
  planUnits(draft)
  if (isUsable(draft, 'getty@tty1.service')) enable(draft, 'getty@tty1.service', 'getty.target')
}

function planInittab(draft: Draft, { init, serialConsole }: MachineFacts): void {
  const isBusybox = /(^|\/)busybox[^/]*$/.test(init.program)
  const getty = findGetty(draft)
  const present = draft.text('etc/inittab')
  const options = { getty, baud: BAUD, serialConsole, openrc: findProgram(draft, 'openrc') }
  const exists = (path: string): boolean => draft.kind(path.slice(1)) !== null
  const wanted = isBusybox
    ? busyboxInittab(present, { ...options, exists })
    : // Without one of its own, sysvinit has no script to run either: there is nothing to add a prompt to.
      present === null
      ? null
      : sysvInittab(present, options)
  if (wanted === null || wanted === present) return
  draft.write('etc/inittab', wanted)
  if (readInittab(wanted).some(({ process }) => process === `/${BOOT_SCRIPT.path}`))
    draft.write(BOOT_SCRIPT.path, BOOT_SCRIPT.content, { mode: 0o755 })
}

/** OpenRC's own init reads no inittab: prompts are services, each a link to one script (its agetty-guide.md). */
function planOpenrcInit(draft: Draft, { serialConsole }: MachineFacts): void {
  if (draft.kind('etc/init.d/agetty') !== 'f') return
  for (const tty of serialConsole ? ['tty1', 'ttyS0'] : ['tty1']) {
    const service = `agetty.${tty}`
    if (isInRunlevel(draft, service)) continue
    if (draft.entry(`etc/init.d/${service}`) === null) draft.link(`etc/init.d/${service}`, 'agetty')
    draft.link(`etc/runlevels/default/${service}`, `/etc/init.d/${service}`)
    if (tty === 'ttyS0' && draft.entry(`etc/conf.d/${service}`) === null)
      draft.write(`etc/conf.d/${service}`, `agetty_options="-L"\nbaud="${BAUD}"\nterm_type="vt100"\n`)
  }
}

/** The runlevels of an installed Alpine (setup-alpine, alpine-make-vm-image); names of services since 3.17 and before. */
const ALPINE_RUNLEVELS: readonly (readonly [level: string, services: readonly string[]])[] = [
  ['sysinit', ['devfs', 'dmesg', 'mdev', 'hwdrivers']],
  [
    'boot',
    [
      ...['modules', 'hwclock', 'swap', 'hostname', 'sysctl', 'bootmisc', 'syslog', 'seedrng', 'urandom'],
      // Not made by `need` of others: without them the root filesystem is neither checked nor remounted writable.
      ...['root', 'fsck', 'localmount']
    ]
  ],
  ['shutdown', ['killprocs', 'savecache', 'mount-ro']]
]

/**
 * Fills the runlevels of an image in which nobody did: Alpine's container image has none, so that OpenRC would start no
 * service at all. Where sysinit has services, the others are as they are meant to be.
 */
function planRunlevels(draft: Draft): void {
  if (draft.list('etc/runlevels/sysinit').length > 0) return
  for (const [level, services] of ALPINE_RUNLEVELS) {
    for (const service of services) {
      if (draft.kind(`etc/init.d/${service}`) === 'f' && !isInRunlevel(draft, service))
        draft.link(`etc/runlevels/${level}/${service}`, `/etc/init.d/${service}`)
    }
  }
}

/** Whether OpenRC starts a service in some runlevel. */
export const isInRunlevel = (draft: Draft, service: string): boolean =>
  draft.list('etc/runlevels').some(level => draft.entry(`etc/runlevels/${level}/${service}`) !== null)

/** Folder of links to the services that runit supervises by default: Debian's and Void's. */
export const RUNIT_SERVICES = 'etc/runit/runsvdir/default'

/** Debian names its services getty-*, Void agetty-*; where there is neither, one is written. */
function planRunit(draft: Draft, { serialConsole }: MachineFacts): void {
  const getty = findGetty(draft)
  for (const tty of serialConsole ? ['tty1', 'ttyS0'] : ['tty1']) {
    const names = [`getty-${tty}`, `agetty-${tty}`]
    // A name with a dot in front is a service that was disabled by hand (update-service(8)).
    const isThere = names
      .flatMap(name => [name, `.${name}`])
      .some(name => draft.entry(`${RUNIT_SERVICES}/${name}`) !== null)
    if (!isThere) {
      const service = names.find(name => draft.kind(`etc/sv/${name}/run`) === 'f')
      if (service === undefined && getty === null) continue
      if (service === undefined) {
        const line = tty === 'ttyS0' ? `-L ${BAUD} ttyS0 vt100` : '38400 tty1 linux'
        draft.write(`etc/sv/getty-${tty}/run`, `#!/bin/sh\nexec ${getty} ${line}\n`, { mode: 0o755 })
      }
      draft.link(`${RUNIT_SERVICES}/${service ?? `getty-${tty}`}`, `/etc/sv/${service ?? `getty-${tty}`}`)
    }
  }
  // Debian's service sets the line to 9600 bits per second, which a terminal that read the kernel's messages cannot read.
  const script = serialConsole ? draft.text(RUNIT_SERIAL) : null
  const faster = script?.replace(/^(\s*exec\s+\S*getty\s.*)\b9600\b/m, `$1${BAUD}`)
  if (faster !== undefined && faster !== script) draft.write(RUNIT_SERIAL, faster)
}

/** Where the file exists, root may only log in on the terminals that it names (securetty(5)). */
function planSecuretty(draft: Draft): void {
  const present = draft.text('etc/securetty')
  if (present === null || /^ttyS0$/m.test(present)) return
  draft.write('etc/securetty', `${present.replace(/\n*$/, '\n')}ttyS0\n`)
}
