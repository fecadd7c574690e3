/** A reason why a machine does not come up, known by what its console says. */
export type Cause = Readonly<{
  id: string
  /** One sentence for the annotation. */
  summary: string
  /** What to change, naming the input or the Dockerfile line. */
  advice: string
  /** Any of them in a finished line decides. */
  patterns: readonly RegExp[]
  /** Any of them decides in an unfinished line too: what waits for input, or halts, without a newline. */
  prompts?: readonly RegExp[]
}>

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
    prompts: [/No bootable device/, /^Missing operating system/i]
  },
  {
    id: 'loader-broken',
    summary: 'The boot loader could not load the rest of itself.',
    advice:
      'Files in /boot/extlinux were changed after extlinux was installed, or the filesystem has features that it cannot read.',
    patterns: [
      /Failed to load ldlinux/,
      /^boot: no DEFAULT or UI configuration directive found/i,
      /No DEFAULT or UI configuration/
    ],
    prompts: [/^Boot error/]
  },
  {
    id: 'kernel-not-loaded',
    summary: 'The boot loader could not load the kernel or its initrd.',
    advice:
      'Look at the file named above in the image: it is missing, no Linux kernel for x86, or larger than memory; for the last, raise memory.',
    patterns: [
      /Loading .*\.\.\. ?failed/,
      /Could not find kernel image/,
      /Could not find ramdisk image/,
      /Invalid or corrupt kernel image/,
      /Booting kernel failed/,
      /Initrd too large/i
    ]
  },
  {
    id: 'out-of-memory',
    summary: 'The machine has too little memory to start.',
    advice: 'Raise memory, such as memory: 2048M.',
    patterns: [
      /System is out of memory/,
      /Kernel panic - not syncing: (?:System is deadlocked on memory|Out of memory)/,
      /Initramfs unpacking failed: write error/,
      /-- System halted/
    ]
  },
  {
    id: 'no-root',
    summary: 'The kernel or its initrd could not mount the root filesystem.',
    advice:
      "The kernel lacks a driver for the machine's disk (Debian's cloud kernel has virtio but no SATA) or root= names another disk. Install a kernel with the driver, have the initrd include it, and leave root= out of kernel-args.",
    patterns: [
      /VFS: Unable to mount root/,
      /VFS: Cannot open root device/,
      /ALERT!.*does not exist/,
      /Mounting .* on .*sysroot failed/i,
      /mount: mounting .* on \/sysroot failed/i,
      /dracut.*Could not boot/
    ]
  },
  {
    id: 'initramfs-shell',
    summary: 'The initrd gave up and opened its shell.',
    advice: 'The lines above say what it missed; most often the disk driver or the root filesystem.',
    patterns: [
      /initramfs emergency recovery shell/i,
      /Dropping to a shell/i,
      /Generating "\/run\/initramfs\/rdsosreport\.txt"/
    ],
    prompts: [/^\(initramfs\)/]
  },
  {
    id: 'init-died',
    summary: 'The init program ended, and the kernel cannot go on without it.',
    advice:
      'Look at what /sbin/init is in the image and at its last lines above; a shared library it needs may be missing.',
    patterns: [/Kernel panic - not syncing: Attempted to kill init/]
  },
  {
    id: 'no-init',
    summary: 'The kernel found no init program that it can start.',
    advice:
      'Install an init system in the Dockerfile (systemd-sysv on Debian and Ubuntu, openrc on Alpine), or look at init= in kernel-args.',
    patterns: [
      /Kernel panic - not syncing: (?:No working init found|Requested init)/,
      /can't execute '.*init'/i,
      /No init found\. Try passing init=/,
      /Target filesystem doesn't have requested/
    ]
  },
  {
    id: 'panic',
    summary: 'The kernel panicked.',
    advice: 'The first line of the panic above names the reason.',
    patterns: [/Kernel panic - not syncing/, /end Kernel panic/]
  },
  {
    id: 'emergency-mode',
    summary: "The system went into systemd's emergency or rescue mode.",
    advice:
      'A unit that the boot depends on failed, most often a mount in /etc/fstab that does not exist in this machine; the lines above name it.',
    patterns: [
      /You are in (?:emergency|rescue) mode/,
      /Cannot open access to console, the root account is locked/
    ],
    prompts: [/^Press Enter for (?:maintenance|emergency)/, /^Give root password for maintenance/]
  }
]

/** The line that a getty ends with when somebody may log in: `host login:`, with kernel messages possibly behind it. */
const LOGIN_PROMPT = /^(?!last )[\w.()-]+ login:(?:\s|$)|^login:\s*$/i

/** Says of a console line whether it decides the boot. Half a line may be half a reason: only prompts decide there. */
export function judgeLine(
  line: string,
  successPattern: RegExp | null,
  finished = true
): 'success' | Cause | null {
  if (successPattern === null ? LOGIN_PROMPT.test(line) : successPattern.test(line)) return 'success'
  const matches = (patterns: readonly RegExp[] = []): boolean => patterns.some(pattern => pattern.test(line))
  return CAUSES.find(({ patterns, prompts }) => (finished && matches(patterns)) || matches(prompts)) ?? null
}
