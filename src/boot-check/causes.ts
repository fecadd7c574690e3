import { KERNEL_STAMP } from './console.ts'
import type { Facts, FailedUnit } from './facts.ts'

/** Why a machine did not come up or did not stay up. */
export type Reason = Readonly<{
  id: string
  /** Sentences for the annotation. */
  summary: string
  /** What to change, naming the input or the Dockerfile line. */
  advice: string
}>

/** A text of an annotation, or how it follows from what the console told. */
type Words = string | ((facts: Facts) => string)

/** A reason why a machine does not come up, known by what its console says. */
export type Cause = Readonly<{
  id: string
  summary: Words
  advice: Words
  /** Any of them in a finished line decides. */
  patterns: readonly RegExp[]
  /** Any of them decides in an unfinished line too: what waits for input, or halts, without a newline. */
  prompts?: readonly RegExp[]
  /** What must have been told before. */
  given?: (facts: Facts) => boolean
  /** Recordings in __tests__/corpus of boots that end so. */
  recorded: readonly string[]
}>

const UNMOUNTED_ROOT: readonly RegExp[] = [
  /VFS: Unable to mount root/,
  /VFS: Cannot open root device/,
  /ALERT!.*does not exist/,
  /Failed to mount \S+ as root file system/,
  /mount: mounting .* on \/(?:root|sysroot) failed/i,
  /Mounting .* on .*sysroot failed/i,
  /(?:dracut|Warning: ).*(?:Could not boot|\/dev\/\S+ does not exist)/
]

const NO_INIT: readonly RegExp[] = [
  /Kernel panic - not syncing: (?:No working init found|Requested init)/,
  /can't execute '.*init'/i,
  /No init found\. Try passing init=/
]

/** Whether the kernel says what it finds: with `quiet` it keeps that, as its command line, to itself. */
const isTalkative = ({ commandLine }: Facts): boolean => commandLine !== null

/** What the root filesystem is looked for at, and what there is. */
function describeRoot(facts: Facts): string {
  const { root, unmounted, disks, filesystemTrouble } = facts
  const tried = [
    ...(root === null ? [] : [`was asked for ${root.slice(0, 200)}`]),
    ...(unmounted === null || unmounted === root ? [] : [`tried ${unmounted}`])
  ].join(' and ')
  const found = disks.length > 0 ? disks.slice(0, 12).join(', ') : isTalkative(facts) ? 'no disk' : null
  const parts = [
    ...(tried === '' ? [] : [`it ${tried}`]),
    ...(found === null ? [] : [`the kernel found ${found}`]),
    ...(unmounted === null || filesystemTrouble === null ? [] : [`it says "${filesystemTrouble}"`])
  ].join('; ')
  return parts === '' ? '' : ` ${parts.charAt(0).toUpperCase()}${parts.slice(1)}.`
}

const NO_DRIVER =
  "The kernel or the initrd lacks a driver for the machine's disk (Debian's cloud kernel has virtio and NVMe but no SATA): " +
  'choose another disk-bus, or set kernel: generic, or have the initrd include the driver.'

const WRONG_ROOT =
  'The disk is there, and root= or rootfstype= does not fit it: leave both out of kernel-args, and the root filesystem out of what the image changes about its initrd.'

/** What to change when there is no root filesystem. */
function adviseRoot(facts: Facts): string {
  if (facts.unmounted !== null)
    return (
      'The device is there, but not with a filesystem that this kernel mounts: leave rootfstype= out of kernel-args, and filesystem at ext4, ' +
      'or install a newer kernel in the Dockerfile.'
    )
  if (facts.disks.length > 0) return WRONG_ROOT
  return isTalkative(facts)
    ? NO_DRIVER
    : `Take quiet out of kernel-args to see which: ${NO_DRIVER} Or: ${WRONG_ROOT}`
}

const list = (units: readonly FailedUnit[]): string =>
  units
    .slice(0, 5)
    .map(({ name, how }) => `${name} (${how})`)
    .join(', ')

/** The units that failed by themselves, and the mounts that lack another; what follows from these is no reason. */
const culprits = ({ failedUnits }: Facts): readonly FailedUnit[] =>
  failedUnits.filter(({ name, how }) => how !== 'needs another' || /\.mount$|^\//.test(name))

/** How the emergency and rescue modes of systemd and SysV init are known. */
const EMERGENCY = {
  patterns: [
    /You are in (?:emergency|rescue) mode/,
    /Cannot open access to console, the root account is locked/
  ],
  prompts: [/^Press Enter for (?:maintenance|emergency)/, /^Give root password for maintenance/]
} as const

const LOADER_ADVICE =
  'Files in /boot/extlinux were changed after extlinux was installed, or the filesystem has features that it cannot read: ' +
  'leave /boot/extlinux out of the image and filesystem at ext4.'

const SELINUX_LOCKOUT = {
  id: 'selinux-lockout',
  summary: 'SELinux keeps init from starting the system.',
  advice:
    'Files of a container image have no SELinux labels: leave enforcing=1 out of kernel-args and SELINUX=enforcing out of /etc/selinux/config, ' +
    'and relabel in the machine that runs.'
} as const

/** Id of the one cause that lies with a busy runner, never with the image. */
export const NO_TIMER = 'no-timer'

/**
 * Causes that a console line decides, most specific first: where several match one line, the first is told. None of the
 * patterns may occur in the console of a machine that comes up.
 */
export const CAUSES: readonly Cause[] = [
  {
    id: 'no-boot-device',
    summary: 'The firmware found nothing to start on the disk.',
    advice:
      'The MBR or its active partition is damaged; nothing in the image should be able to do that: please report it.',
    patterns: [/Boot failed: not a bootable disk/],
    prompts: [/No bootable device/, /^Missing operating system/i],
    recorded: ['mbr-signature-wiped', 'no-active-partition', 'boot-sector-wiped']
  },
  {
    id: 'loader-broken',
    summary: 'The boot loader could not load the rest of itself.',
    advice: LOADER_ADVICE,
    patterns: [/Failed to load ldlinux/, /Failed to load COM32 file/],
    prompts: [/^Boot error/],
    recorded: ['loader-corrupt', 'loader-module-deleted']
  },
  {
    id: 'loader-broken',
    summary: 'The boot loader found no configuration that says what to load.',
    advice: LOADER_ADVICE,
    patterns: [/WARNING: No configuration file found/],
    prompts: [/No DEFAULT or UI configuration directive found!/],
    recorded: ['loader-config-missing', 'loader-config-empty']
  },
  {
    id: 'kernel-not-loaded',
    summary: 'The boot loader loaded a kernel that is none.',
    advice:
      'The kernel in /boot of the image is no Linux kernel for x86: install its package anew in the Dockerfile.',
    patterns: [/Booting kernel failed/, /Invalid or corrupt kernel image/],
    recorded: ['kernel-is-text']
  },
  {
    id: 'kernel-not-loaded',
    summary: ({ loading }) =>
      loading === null
        ? 'The boot loader could not load the kernel or its initrd.'
        : `The boot loader could not load ${loading}.`,
    advice:
      'Look at that file in the image: it is missing, or larger than memory; for the last, raise memory. What removes files from /boot in the ' +
      'Dockerfile has to leave kernel and initrd there.',
    patterns: [
      /^Loading .*\.\. *failed:/,
      /Could not find kernel image/,
      /Could not find ramdisk image/,
      /Initrd too large/i
    ],
    recorded: ['loader-entry-misspelt', 'kernel-deleted', 'kernel-deleted-loader-silent', 'initrd-deleted']
  },
  {
    id: 'out-of-memory',
    summary: 'The machine has too little memory to start.',
    advice: 'Raise memory, such as memory: 2048M, or make the initrd smaller.',
    patterns: [
      /System is out of memory/,
      /Kernel panic - not syncing: (?:System is deadlocked on memory|Out of memory)/,
      /Not enough memory to load specified image/i
    ],
    prompts: [/Out of memory.*-- System halted/i],
    recorded: ['memory-96', 'memory-128-systemd']
  },
  {
    id: 'out-of-memory',
    summary: 'The machine has too little memory to unpack its initrd.',
    advice: 'Raise memory, such as memory: 2048M, or make the initrd smaller.',
    patterns: [...UNMOUNTED_ROOT, ...NO_INIT, /Kernel panic - not syncing/],
    given: ({ isShortOfMemory }) => isShortOfMemory,
    recorded: []
  },
  {
    id: NO_TIMER,
    summary: "The kernel found no timer that ticks: IO-APIC + timer doesn't work.",
    advice:
      'The machine has one. A runner that is busy with other work may keep QEMU from having it tick in the fraction of a second that a kernel ' +
      'under TCG waits for it, which is no fault of the image: leave the runner less to do or give it KVM, or add no_timer_check to kernel-args.',
    patterns: [/Kernel panic - not syncing: IO-APIC \+ timer doesn't work/],
    recorded: ['no-timer']
  },
  {
    id: 'kernel-damaged',
    summary: 'The kernel could not unpack itself.',
    advice: 'The kernel file in /boot of the image is damaged: install its package anew in the Dockerfile.',
    patterns: [],
    prompts: [/-- System halted/],
    recorded: []
  },
  {
    id: 'initrd-corrupt',
    summary: ({ initrdTrouble }) => `The kernel could not unpack the initrd: ${initrdTrouble}.`,
    advice:
      'The initrd in /boot of the image is damaged or packed in a way that the kernel does not know: make it anew in the Dockerfile, ' +
      'with update-initramfs -u on Debian and Ubuntu, mkinitfs on Alpine, dracut --force on the Fedora family.',
    patterns: [...UNMOUNTED_ROOT, ...NO_INIT],
    given: ({ initrdTrouble }) => initrdTrouble !== null,
    recorded: ['initrd-truncated', 'initrd-garbage', 'initrd-corrupt-inside', 'initrd-corrupt-zstd']
  },
  {
    id: 'filesystem-damaged',
    summary: 'The root filesystem is damaged in a way that fsck does not repair by itself.',
    advice:
      'It was sound when it was written: what runs in the initrd or in the machine damages it, as a tool does that grows or converts it at first boot. ' +
      'Take that out of the Dockerfile.',
    patterns: [/requires a manual fsck/, /File system check of the root filesystem failed/],
    recorded: ['fsck-gives-up']
  },
  {
    id: 'no-root',
    summary: facts => `The kernel or its initrd could not mount the root filesystem.${describeRoot(facts)}`,
    advice: adviseRoot,
    patterns: UNMOUNTED_ROOT,
    recorded: [
      'root-uuid-wrong',
      'root-device-wrong-panic',
      'root-wrong-without-initrd',
      'disk-without-driver-without-initrd',
      'root-waited-for',
      'disk-without-driver',
      'disk-cut-short',
      'filesystem-too-new',
      'journal-damaged',
      'root-type-wrong',
      'root-type-wrong-without-initrd',
      'root-wrong-dracut'
    ]
  },
  {
    id: 'no-init',
    summary: ({ init }) =>
      `The kernel found no init program that it can start${init === null ? '' : `; it tried ${init} last`}.`,
    advice:
      'Install an init system in the Dockerfile (systemd-sysv on Debian and Ubuntu, openrc on Alpine), or look at init= in kernel-args.',
    patterns: NO_INIT,
    recorded: ['init-and-shell-deleted', 'init-nonexistent-without-initrd', 'init-deleted-without-initrd']
  },
  {
    id: 'no-init',
    summary: ({ initTrouble }) => `The initrd could not start init: ${initTrouble}.`,
    advice:
      'Look at what that file is in the image: a program for x86-64, or a script whose interpreter is there, and so is all that it is linked to. ' +
      'Install an init system in the Dockerfile (systemd-sysv on Debian and Ubuntu, openrc on Alpine), or look at init= in kernel-args.',
    // The initrd's last resort is a shell, which does not find itself on a terminal.
    patterns: [
      /Kernel panic - not syncing: Attempted to kill init/,
      /can't access tty; job control turned off/
    ],
    given: ({ initTrouble }) => initTrouble !== null,
    recorded: ['init-deleted', 'init-without-interpreter', 'init-of-another-machine']
  },
  {
    id: 'init-died',
    summary: ({ initEnd, missing }) =>
      `The init program ended${initEnd === null ? '' : ` ${initEnd}`}, and the kernel cannot go on without it.` +
      (missing === null ? '' : ` It lacks ${missing}.`),
    advice:
      'Look at what /sbin/init is in the image and at its last lines above; a shared library it needs may be missing.',
    patterns: [/Kernel panic - not syncing: Attempted to kill init/],
    recorded: ['init-exits', 'init-crashes', 'init-lacks-library']
  },
  {
    ...SELINUX_LOCKOUT,
    patterns: [
      /Failed to load SELinux policy/,
      /Unable to load SELinux Policy/i,
      /Kernel panic - not syncing: SELinux/
    ],
    recorded: []
  },
  {
    ...SELINUX_LOCKOUT,
    patterns: [/systemd\[1\]: .*Freezing execution/, /You are in (?:emergency|rescue) mode/],
    given: ({ isDeniedBySelinux }) => isDeniedBySelinux,
    recorded: []
  },
  {
    id: 'init-crashes',
    summary: 'Init, systemd, gave up and froze.',
    advice:
      'The line above says what it missed or where it crashed; most often a file of systemd was removed or replaced in the Dockerfile.',
    patterns: [/systemd\[1\]: .*Freezing execution/, /^\[?!{4,}.*Freezing/, /systemd\[1\]: Caught <\w+>/],
    recorded: ['systemd-without-units', 'systemd-without-run']
  },
  {
    id: 'rescue',
    summary: 'The system went into emergency or rescue mode, as its kernel command line asks for.',
    advice: 'Leave that out of kernel-args.',
    ...EMERGENCY,
    given: ({ commandLine }) =>
      /(?:^| )(?:systemd\.unit=(?:rescue|emergency)\.target|single|rescue|emergency|[1sS])(?: |$)/.test(
        commandLine ?? ''
      ),
    recorded: ['rescue-asked-for', 'emergency-asked-for', 'single-user-asked-for']
  },
  {
    id: 'emergency-mode',
    summary: facts => {
      const units = culprits(facts)
      const why = units.length > 0 ? ` because of ${list(units)}` : ''
      const check =
        facts.fsckTrouble === null ? '' : ` The check of a filesystem says "${facts.fsckTrouble}".`
      return `The system went into emergency or rescue mode${why}.${check}`
    },
    advice:
      'Something that the boot depends on failed, most often a mount in /etc/fstab that does not exist in this machine: take it out of the Dockerfile, or give it nofail there.',
    ...EMERGENCY,
    recorded: [
      'fstab-disk-missing',
      'fstab-disk-missing-root-open',
      'fstab-type-wrong',
      'local-filesystems-fail',
      'sysvinit-fsck-fails'
    ]
  },
  {
    id: 'initramfs-shell',
    summary: 'The initrd gave up and opened its shell.',
    advice:
      'The lines above say what it missed; most often the disk driver or the root filesystem. break= in kernel-args opens it too.',
    patterns: [
      /initramfs emergency recovery shell/i,
      /Dropping to a shell/i,
      /Spawning shell within the initramfs/,
      /Generating "\/run\/initramfs\/rdsosreport\.txt"/
    ],
    prompts: [/^\(initramfs\)/],
    recorded: ['break-asked-for']
  },
  {
    id: 'panic',
    summary: ({ panic, oops }) =>
      `The kernel panicked${panic === null ? '' : `: ${panic}`}.${oops === null ? '' : ` Before that: ${oops}.`}`,
    advice:
      'The first lines of the panic above name the reason. Another kernel may do: kernel: generic, or its package in the Dockerfile.',
    patterns: [/Kernel panic - not syncing/, /end Kernel panic/],
    recorded: ['crash-by-sysrq', 'crash-under-systemd', 'panic-that-reboots']
  },
  {
    id: 'halted',
    summary: 'The machine halted before it was up.',
    advice: 'Something in the image halts it during boot: the last lines above name it.',
    patterns: [/reboot: System halted/],
    recorded: ['halts']
  }
]

/** What a getty ends with when somebody may log in: `host login:`, or without a host. */
const LOGIN_PROMPT = /^(?!last )([\w.()-]+) login:(?: +(.*))?$|^login: *$/i

/** What is to be seen on the console of a machine that is up. */
export type Sign = Readonly<{
  /** Of the user's; null for a login prompt. */
  pattern: RegExp | null
  /** Name that the machine has been given; null if nothing is known. */
  hostname: string | null
}>

/**
 * What a line, finished or not, is worth as the sign: a prompt with the machine's own name is certain whatever follows; an unfinished
 * line that is likely may go on as another.
 */
export function successOf(line: string, { pattern, hostname }: Sign): 'certain' | 'likely' | null {
  if (pattern !== null) return pattern.test(line) ? 'likely' : null
  const match = LOGIN_PROMPT.exec(line)
  if (match === null) return null
  const [, host = '', rest = ''] = match
  // agetty(8) prints a name up to its first dot.
  if (hostname !== null && [hostname, hostname.split('.')[0]].includes(host)) return 'certain'
  // Kernel and systemd write behind the prompt, into its line. Behind a name that is not the machine's, what else follows makes it a
  // program's own line, such as `INFO login: rejected`.
  return rest.trim() === '' || rest.search(KERNEL_STAMP) === 0 || STATUS.test(rest) ? 'likely' : null
}

/** What systemd begins its lines on the console with. */
const STATUS = /^\[(?: +OK +|FAILED|DEPEND| +TIME +|[ *]+)\] /

/** The cause that a console line decides, or null. Half a line may be half a reason: only prompts decide there. */
export function causeOf(line: string, facts: Facts, isFinished: boolean): Cause | null {
  const matches = (patterns: readonly RegExp[] = []): boolean => patterns.some(pattern => pattern.test(line))
  return (
    CAUSES.find(
      ({ patterns, prompts, given }) =>
        ((isFinished && matches(patterns)) || matches(prompts)) && (given === undefined || given(facts))
    ) ?? null
  )
}

/** An entry of {@link CAUSES} by its id, the first. */
export function causeNamed(id: string): Cause {
  const cause = CAUSES.find(each => each.id === id)
  if (cause === undefined) throw new Error(`There is no cause ${id}.`)
  return cause
}

const say = (words: Words, facts: Facts): string => (typeof words === 'string' ? words : words(facts))

/** The cause in the words of an annotation. */
export const reasonOf = ({ id, summary, advice }: Cause, facts: Facts): Reason => ({
  id,
  summary: say(summary, facts),
  advice: say(advice, facts)
})

/** What QMP, not the console, tells of a machine. */
export const EVENTS = {
  shutdown: {
    id: 'shutdown',
    summary: 'The machine powered itself off before it was up.',
    advice: 'Something in the image shuts it down during boot: the last lines above name it.'
  },
  'reboot-loop': {
    id: 'reboot-loop',
    summary: 'The machine resets itself again and again.',
    advice: 'A kernel or init that reboots on failure: the last lines above say why it gave up.'
  },
  panic: {
    id: 'panic',
    summary: 'The kernel panicked, and its console does not say why.',
    advice:
      'The kernel logs elsewhere: leave serial-console true, and console= and quiet out of kernel-args, to see the reason.'
  },
  'shutdown-later': {
    id: 'shutdown',
    summary: 'The machine powered itself off although it was up.',
    advice: 'Something in the image shuts it down: the last lines above name it.'
  },
  'reset-later': {
    id: 'reset',
    summary: 'The machine reset itself although it was up.',
    advice: 'Something in the image reboots it, or its kernel failed: the last lines above say why.'
  }
} as const satisfies Record<string, Reason>
