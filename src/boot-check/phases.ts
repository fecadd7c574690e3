import { KERNEL_STAMP } from './console.ts'

export const PHASES = ['firmware', 'loader', 'kernel', 'initrd', 'init', 'login'] as const

export type PhaseName = (typeof PHASES)[number]

/** A phase of a boot whose beginning was seen; seconds from power-on. It ends where the next one begins. */
export type Phase = Readonly<{ name: PhaseName; start: number; seconds: number }>

/** What a phase is known by on the console, from its first line on. */
const SIGNS: Readonly<Record<Exclude<PhaseName, 'firmware'>, readonly RegExp[]>> = {
  loader: [/^Booting from (?:Hard Disk|0000:7c00)/, /\b(?:SYS|EXT|ISO)LINUX \d/, /^Loading \S+\.\.\./],
  kernel: [KERNEL_STAMP, /^Decompressing Linux/, /^(?:early|Early) console in/],
  initrd: [
    /\bRun \/init as init process/,
    // initramfs-tools, dracut, mkinitfs, mkinitcpio
    /^Loading, please wait/,
    /^Begin: (?:Loading essential drivers|Running \/scripts\/init-(?:top|premount))/,
    /Running in initrd|in initial RAM disk|\(Initramfs\)!$/i,
    /\bAlpine Init \d/,
    /^:: running (?:early )?hook/
  ],
  init: [
    /\bRun (?!\/init )\S+ as init process/,
    /^Begin: Running \/scripts\/init-bottom/,
    /Switching root/,
    /^Welcome to (?!.*\(Initramfs\)!$).+!$/,
    /\bINIT: version \S+ booting/,
    /\bOpenRC \S+ is starting up/,
    /\binit started: BusyBox/,
    /- runit: .*booting/
  ],
  login: [
    /Reached target .*(?:getty\.target|Login Prompts|Multi-User System)/,
    /\bINIT: Entering runlevel/,
    /- runit: enter stage: .*2$/,
    // The end of what getty prints before it asks.
    / ttyS\d+$/
  ]
}

/** Nothing here is known better. */
const milliseconds = (seconds: number): number => Math.round(seconds * 1000) / 1000

/** Finds the phases of a boot and their times from its console. */
export class PhaseClock {
  readonly #starts: Map<PhaseName, number>
  /** When the kernel's clock began, as far as its messages tell: they come late, never early. */
  #kernelStart = Number.POSITIVE_INFINITY

  /** @param start seconds from power-on to where the firmware began: not 0 after a reset */
  constructor(start = 0) {
    this.#starts = new Map([['firmware', start]])
  }

  /** The phase that the boot is in. */
  get current(): PhaseName {
    return [...this.#starts.keys()].at(-1) ?? 'firmware'
  }

  /** @param at seconds since power-on */
  hear(line: string, at: number): void {
    const stamp = KERNEL_STAMP.exec(line)
    if (stamp !== null) this.#kernelStart = Math.min(this.#kernelStart, at - Number(stamp[1]))
    for (const name of PHASES.slice(PHASES.indexOf(this.current) + 1)) {
      // One line may be the first sign of two, as of a quiet kernel that only names its init.
      if (name !== 'firmware' && SIGNS[name].some(sign => sign.test(line))) this.#starts.set(name, at)
    }
  }

  /**
   * What was seen so far. A phase that said nothing is missing, and the one before it has its time.
   * @param end seconds since power-on
   */
  phases(end: number): Phase[] {
    const starts = [...this.#starts].map(([name, seen]) => ({
      name,
      // With console=ttyS0 the kernel is silent until it knows the port, and then tells all at once.
      start: name === 'kernel' ? Math.min(seen, this.#kernelStart) : seen
    }))
    let earliest = 0
    for (const phase of starts) earliest = phase.start = Math.max(phase.start, earliest)
    return starts.map(({ name, start }, i) => ({
      name,
      start: milliseconds(start),
      seconds: milliseconds(Math.max(0, (starts[i + 1]?.start ?? end) - start))
    }))
  }
}
