/** A unit of systemd that did not come up. */
export type FailedUnit = Readonly<{
  /** Its name, or its description where the console tells no more. */
  name: string
  how: 'failed' | 'timed out' | 'needs another'
}>

/** What a console has told of a boot so far that no verdict follows from by itself; null for what it has not. */
export type Facts = Readonly<{
  /** Whether the boot loader has read its configuration, which has it greet once more on the serial port. */
  isLoaderConfigured: boolean
  /** The file that the boot loader loaded last. */
  loading: string | null
  /** The root device that the kernel waits for without end. */
  awaitedRoot: string | null
  /** The kernel's command line. */
  commandLine: string | null
  /** The root filesystem that was asked for, such as `UUID=…` or `/dev/sda1`. */
  root: string | null
  /** The device that could not be mounted as the root filesystem. */
  unmounted: string | null
  /** What the kernel said last of a filesystem that it does not mount. */
  filesystemTrouble: string | null
  /** Disks and partitions that the kernel found, such as `vda` and `vda1`. */
  disks: readonly string[]
  /** The init program that the kernel or the initrd tried last. */
  init: string | null
  /** Why the initrd could not start the init that it tried first, in its words. */
  initTrouble: string | null
  /** How init ended, for people. */
  initEnd: string | null
  /** What the kernel said first when it got into trouble: the head of a stack trace. */
  oops: string | null
  /** The first line of a panic, without what it begins with. */
  panic: string | null
  /** Why the initrd could not be unpacked, in the kernel's words. */
  initrdTrouble: string | null
  /** Whether the kernel ran out of memory, or could not unpack the initrd into what there is. */
  isShortOfMemory: boolean
  failedUnits: readonly FailedUnit[]
  /** What a check of a filesystem ended with. */
  fsckTrouble: string | null
  /** Why init cannot keep a getty running. */
  gettyTrouble: string | null
  /** What systemd waits for, such as `A start job is running for …`. */
  waitingFor: string | null
  /** Whether SELinux refuses what programs ask for. */
  isDeniedBySelinux: boolean
  /** Whether init said that the system is up. */
  isUp: boolean
  /** What a program missed as it started, such as a shared library. */
  missing: string | null
}>

export const NO_FACTS: Facts = {
  isLoaderConfigured: false,
  loading: null,
  awaitedRoot: null,
  commandLine: null,
  root: null,
  unmounted: null,
  filesystemTrouble: null,
  disks: [],
  init: null,
  initTrouble: null,
  initEnd: null,
  oops: null,
  panic: null,
  initrdTrouble: null,
  isShortOfMemory: false,
  failedUnits: [],
  fsckTrouble: null,
  gettyTrouble: null,
  waitingFor: null,
  isDeniedBySelinux: false,
  isUp: false,
  missing: null
}

/** Names of signals that end a program for what it did itself. */
const SIGNALS: Readonly<Record<number, string>> = {
  4: 'SIGILL',
  6: 'SIGABRT',
  7: 'SIGBUS',
  9: 'SIGKILL',
  11: 'SIGSEGV'
}

/** @param hex wait status as the kernel prints it: the signal in the low seven bits, else the exit code in the second byte */
function describeEnd(hex: string): string {
  const status = Number.parseInt(hex, 16)
  const signal = status & 0x7f
  return signal === 0
    ? `with exit code ${(status >> 8) & 0xff}`
    : `by ${SIGNALS[signal] ?? `signal ${signal}`}`
}

/** What a line adds to what is known. */
type News = Partial<Facts>

const withDisks = (facts: Facts, ...names: readonly string[]): News => ({
  disks: [...new Set([...facts.disks, ...names])]
})

const withUnit = ({ failedUnits }: Facts, name: string, how: FailedUnit['how']): News =>
  failedUnits.some(unit => unit.name === name) ? {} : { failedUnits: [...failedUnits, { name, how }] }

/** systemd tells of a unit as `NAME - DESCRIPTION`, and before version 249 by the description alone. */
const unitIn = (words: string): string =>
  /^(\S+\.(?:service|mount|device|target|swap|socket|timer|path))(?: - .*)?\.?$/.exec(words)?.[1] ??
  // A long name loses its middle, and with it half of what colours it.
  words.replace(/^[\d;]*(?=…)|\.+$|…$/g, '')

/** NVMe's partitions are told as `p1`. */
const partitionsOf = (disk: string, names: string): string[] =>
  names
    .split(' ')
    .filter(name => name !== '')
    .map(name => (name.startsWith('p') ? disk + name : name))

/** Before version 249 the name comes only in the line after the failure. */
const withNameOfLast = (facts: Facts, name: string): News => {
  const last = facts.failedUnits.at(-1)
  const others = { ...facts, failedUnits: facts.failedUnits.slice(0, -1) }
  return last === undefined ? {} : { failedUnits: others.failedUnits, ...withUnit(others, name, last.how) }
}

/** What finished lines tell. */
const SIGNS: readonly (readonly [RegExp, (facts: Facts, ...found: string[]) => News])[] = [
  [/^SYSLINUX \S+ \d{8} Copyright/, () => ({ isLoaderConfigured: true })],
  // On the display and the serial port that the firmware shows it on too, it stands twice.
  [/^Loading (\S+?)\.{2,}(?=Loading |\s|failed|ok|$)/, (_, loading = '') => ({ loading })],
  [/Waiting for root device (\S+?)\.\.\./, (_, awaitedRoot = '') => ({ awaitedRoot, root: awaitedRoot })],
  [
    /Command line: (.*)/,
    ({ root }, commandLine = '') => ({
      commandLine,
      root: /(?:^| )root=(\S+)/.exec(commandLine)?.[1] ?? root
    })
  ],
  [/ALERT! {2}(\S+) does not exist/, (_, root = '') => ({ root })],
  [/ \[([a-z]+\w*)\] [\d,]+ \d+-byte logical blocks/, (facts, disk = '') => withDisks(facts, disk)],
  [
    /\] {1,3}([svx]d[a-z]+|nvme\d+n\d+|mmcblk\d+):((?: p?\w+)*)$/,
    (facts, disk = '', names = '') => withDisks(facts, disk, ...partitionsOf(disk, names))
  ],
  [
    /(?:Failed to mount |mount: mounting )(\/dev\/\S+) (?:as root|on \/root|on \/sysroot)/,
    (_, unmounted = '') => ({ unmounted })
  ],
  [
    /\] ((?:EXT[234]-fs|XFS|BTRFS|SQUASHFS)(?: error| \()(?!.*(?:mounted filesystem|re-mounted|Mounting|Ending clean|using )).*)/,
    (_, filesystemTrouble = '') => ({ filesystemTrouble })
  ],
  // What a kernel lists that cannot mount its root.
  [/\] [\da-f]{4} +\d+ ([a-z]+\w*)/, (facts, disk = '') => withDisks(facts, disk)],
  [/\bRun (?!\/init )(\S+) as init process/, (_, init = '') => ({ init })],
  [
    /run-init: ((\S+): .+)/,
    ({ initTrouble }, words = '', init = '') => ({ initTrouble: initTrouble ?? words, init })
  ],
  [/Failed to execute (\S+) \(error/, (_, init = '') => ({ init })],
  [/Attempted to kill init! exitcode=0x([\da-f]+)/, (_, status = '') => ({ initEnd: describeEnd(status) })],
  [/Kernel panic - not syncing: (.*)/, ({ panic }, words = '') => ({ panic: panic ?? words })],
  [
    /((?:BUG: |Oops: |Oops - |general protection fault|Unable to handle kernel |kernel BUG at ).*)/,
    ({ oops }, words = '') => ({ oops: oops ?? words })
  ],
  [
    /(Initramfs unpacking failed.*|Failed to decompress.*initr.*|XZ-compressed data is corrupt|Decoding failed)$/,
    ({ initrdTrouble }, words = '') => ({ initrdTrouble: initrdTrouble ?? words })
  ],
  [
    /Out of memory: |invoked oom-killer|Initramfs unpacking failed: write error/,
    () => ({ isShortOfMemory: true })
  ],
  [/^\[FAILED\] Failed to \w+ (.*)/, (facts, words = '') => withUnit(facts, unitIn(words), 'failed')],
  [
    /^\[ *TIME *\] Timed out (?:waiting for device|starting|stopping) (.*)/,
    (facts, words = '') => withUnit(facts, unitIn(words), 'timed out')
  ],
  [
    /^\[DEPEND\] Dependency failed for (.*)/,
    (facts, words = '') => withUnit(facts, unitIn(words), 'needs another')
  ],
  [/^See 'systemctl status ([^']+)' for details/, withNameOfLast],
  [
    /(A (?:start|stop) job is running for .+?|Job \S+\/(?:start|stop) running)(?: *\((?:\d|no limit).*)?$/,
    (_, waitingFor = '') => ({ waitingFor })
  ],
  [/\b(fsck(?:\.\w+)?: .+)$/, (_, fsckTrouble = '') => ({ fsckTrouble })],
  [
    /(can't run '\S*getty\S*'.*|Id "\S+" respawning too fast.*)$/,
    (_, gettyTrouble = '') => ({ gettyTrouble })
  ],
  [/avc: +denied/, () => ({ isDeniedBySelinux: true })],
  [
    /Reached target .*(?:multi-user\.target|Multi-User System|Graphical Interface)|systemd\[1\]: Startup finished in/,
    () => ({ isUp: true })
  ],
  [
    /(?:error while loading shared libraries: |Error loading shared library )([^:]+)/,
    (_, missing = '') => ({ missing })
  ]
]

/** What is known once a finished line was read. */
export function readFacts(facts: Facts, line: string): Facts {
  let known = facts
  for (const [sign, news] of SIGNS) {
    const match = sign.exec(line)
    if (match !== null) known = { ...known, ...news(known, ...match.slice(1)) }
  }
  return known
}
