import type { BaseName } from './bases.ts'
import type { Disk, Files } from './disk.ts'
import type { Bus, Verdict } from './recording.ts'

/** A boot to record, and what a person who knows how its disk was made says of it. */
export type Recipe = Readonly<{
  name: string
  expected: Verdict
  /** The sign of success that is asked for, where it is no login prompt. */
  asked?: RegExp
  base: BaseName
  /** What is done to a copy of the base disk. */
  damage?: (disk: Disk) => void
  /** 1024 by default. */
  memoryMiB?: number
  /** `virtio` by default. */
  diskBus?: Bus
  /** What is added to QEMU's -machine. */
  board?: string
  /** Seconds to record at the most. */
  seconds: number
  /** The recording ends 4 s after a line that matches; by default the decisive one, or the login prompt of a good boot. */
  until?: RegExp
  /**
   * The first line or beginning of a line by which a person knows the verdict, without escape sequences. Absent where only the
   * passing of time tells, or an event.
   */
  decisive?: RegExp
  /** What the verdict's summary should name. */
  says?: RegExp | string
}>

export const LOGIN = /^[\w.-]+ login:/

const files =
  (change: (files: Files) => void) =>
  (disk: Disk): void =>
    disk.files(change)

const args = (text: string) => files(files => files.args(text))

/** Has BusyBox init run lines before its prompt, which appears when they have ended. */
const beforePrompt = (...lines: string[]) =>
  files(files => {
    files.script('sbin/early', ...lines)
    files.change('etc/inittab', text => text.replace(/^ttyS0:/m, '::wait:/sbin/early\n$&'))
  })

/** Has BusyBox init run lines beside its prompt. */
const besidePrompt = (...lines: string[]) =>
  files(files => {
    files.script('sbin/beside', ...lines)
    files.append('etc/inittab', '::once:/sbin/beside')
  })

/** Something else on the serial port than a prompt. */
const noGetty = (files: Files): void =>
  files.change('etc/inittab', text => text.replace(/^ttyS0:.*$/m, 'ttyS0::respawn:/bin/sleep 86400'))

/** Debian's cloud kernel starts from NVMe without an initrd, which then names the disk by its node. */
const withoutInitrd = (root: string, more = '') =>
  files(files =>
    files.loader(text =>
      text
        .replace(/^ *INITRD .*\n/m, '')
        .replace(/root=UUID=\S+/, `root=${root}`)
        .replace(/^ *APPEND .*$/m, line => `${line} ${more}`)
    )
  )

/** Names another disk than there is. */
const wrongRoot = (files: Files, root: string): void =>
  files.loader(text => text.replace(/root=\S+/, `root=${root}`))

/** Everything that the loader and the kernel say goes to the display. */
const onDisplay = (files: Files): void =>
  files.loader(text => text.replace(/^SERIAL .*\n/m, '').replace(/ console=ttyS0,115200/, ''))

const crashService = (files: Files): void =>
  files.unit(
    'crash.service',
    oneshot(
      'A driver that crashes',
      '/bin/sh -c "udevadm settle; echo c > /proc/sysrq-trigger"',
      'Before=getty.target serial-getty@ttyS0.service systemd-user-sessions.service'
    ),
    'multi-user.target'
  )

const NO_UUID = 'UUID=0badc0de-1111-2222-3333-444444444444'

/** Paths of the kernel and of the initrd in the fixture of Alpine's userland. */
const KERNEL = 'boot/vmlinuz-virt'
const INITRD = 'boot/initramfs-virt'

const oneshot = (description: string, command: string, ...more: string[]): string[] => [
  '[Unit]',
  `Description=${description}`,
  ...more,
  '[Service]',
  'Type=oneshot',
  `ExecStart=${command}`
]

/** An x86-64 program, or one for another machine, that reads from address 0 and dies of it. */
function crashingProgram(machine = 62): Buffer {
  const [header, segment] = [Buffer.alloc(64), Buffer.alloc(56)]
  const code = Buffer.from([0x31, 0xc0, 0x8b, 0x00]) // xor eax, eax; mov eax, [rax]
  const [address, size] = [0x400000, 64 + 56 + code.length]
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1])
  header.writeUInt16LE(2, 16) // ET_EXEC
  header.writeUInt16LE(machine, 18)
  header.writeUInt32LE(1, 20)
  header.writeBigUInt64LE(BigInt(address + 64 + 56), 24)
  header.writeBigUInt64LE(64n, 32)
  for (const [offset, value] of [
    [52, 64],
    [54, 56],
    [56, 1]
  ] as const)
    header.writeUInt16LE(value, offset)
  segment.writeUInt32LE(1, 0) // PT_LOAD
  segment.writeUInt32LE(5, 4) // readable, executable
  segment.writeBigUInt64LE(BigInt(address), 16)
  segment.writeBigUInt64LE(BigInt(address), 24)
  segment.writeBigUInt64LE(BigInt(size), 32)
  segment.writeBigUInt64LE(BigInt(size), 40)
  segment.writeBigUInt64LE(4096n, 48)
  return Buffer.concat([header, segment, code])
}

const AARCH64 = 183

const FRIGHTENING = [
  'app: entering emergency mode is disabled by configuration',
  'app: failed to mount the plugin folder: not configured',
  'app: You are in rescue distance of the next station',
  "xinit: can't open display :0",
  'sshd: login failed for user admin',
  'backup: last login: never',
  'java.lang.OutOfMemoryError: out of memory',
  '\tat com.example.Kernel.panic(Kernel.java:42)',
  '\tat com.example.Main.main(Main.java:7)',
  'Traceback (most recent call last):',
  '  File "/app/boot.py", line 3, in <module>',
  'FileNotFoundError: /dev/sdb does not exist',
  'nginx: [emerg] bind() to 0.0.0.0:80 failed (98: Address already in use)',
  'app: No init file found, using defaults',
  'app: ERROR: boot failed for tenant 7, retrying',
  'app: system halted for 0 seconds by the watchdog',
  'app: no bootable device in the lab, 3 images left',
  'app: reboot requested: no'
]

/** Boots that come up. Whoever judges them otherwise sees failures where there are none. */
const GOOD: readonly Recipe[] = [
  // Little memory is enough for little.
  { name: 'memory-128', expected: 'success', base: 'alpine', memoryMiB: 128, seconds: 60, decisive: LOGIN },
  { name: 'alpine', expected: 'success', base: 'alpine', seconds: 60, decisive: LOGIN },
  {
    name: 'alpine-quiet',
    expected: 'success',
    base: 'alpine',
    damage: args('quiet'),
    seconds: 60,
    decisive: LOGIN
  },
  // Without an initrd nothing but the kernel speaks before init does.
  {
    name: 'alpine-without-initrd',
    expected: 'success',
    base: 'alpine',
    diskBus: 'nvme',
    damage: withoutInitrd('/dev/nvme0n1p1'),
    seconds: 60,
    decisive: LOGIN
  },
  { name: 'article', expected: 'success', base: 'article', seconds: 180, decisive: LOGIN },
  {
    name: 'article-sata',
    expected: 'success',
    base: 'article',
    diskBus: 'sata',
    seconds: 180,
    decisive: LOGIN
  },
  // The disk comes seconds after all others, when the initrd waits for it already.
  {
    name: 'article-usb',
    expected: 'success',
    base: 'article',
    diskBus: 'usb',
    seconds: 180,
    decisive: LOGIN
  },
  // systemd's status lines have colours by themselves.
  { name: 'bookworm', expected: 'success', base: 'bookworm', seconds: 120, decisive: LOGIN },
  {
    name: 'bookworm-quiet',
    expected: 'success',
    base: 'bookworm',
    damage: args('quiet'),
    seconds: 120,
    decisive: LOGIN
  },
  {
    name: 'bookworm-nvme',
    expected: 'success',
    base: 'bookworm',
    diskBus: 'nvme',
    seconds: 120,
    decisive: LOGIN
  },
  // Thousands of lines about what failed, is missing or is not there yet, all of them in order.
  {
    name: 'bookworm-debug',
    expected: 'success',
    base: 'bookworm',
    damage: args('debug systemd.log_level=debug systemd.log_target=console'),
    seconds: 240,
    decisive: LOGIN
  },
  { name: 'trixie', expected: 'success', base: 'trixie', seconds: 180, decisive: LOGIN },
  { name: 'bullseye', expected: 'success', base: 'bullseye', seconds: 180, decisive: LOGIN },
  { name: 'sysvinit', expected: 'success', base: 'sysvinit', seconds: 120, decisive: LOGIN },
  { name: 'openrc', expected: 'success', base: 'openrc', seconds: 120, decisive: LOGIN },
  { name: 'runit', expected: 'success', base: 'runit', seconds: 120, decisive: LOGIN },
  // dracut's initrd has a systemd of its own, with units of the same names.
  { name: 'dracut', expected: 'success', base: 'dracut', seconds: 180, decisive: LOGIN },
  // A unit that fails does not keep the machine from coming up, but whoever reads the verdict wants to know.
  {
    name: 'service-failed',
    expected: 'success',
    base: 'bookworm',
    damage: files(files =>
      files.unit('broken.service', oneshot('A service that fails', '/bin/false'), 'multi-user.target')
    ),
    seconds: 120,
    decisive: LOGIN,
    says: 'broken.service'
  },
  // A mount that may be absent, is, and is waited for in vain.
  {
    name: 'nofail-mount-missing',
    expected: 'success',
    base: 'bookworm',
    damage: files(files =>
      files.append('etc/fstab', `${NO_UUID} /data ext4 nofail,x-systemd.device-timeout=5s 0 2`)
    ),
    seconds: 120,
    decisive: LOGIN
  },
  // The filesystem was not left cleanly: fsck says so in the initrd, repairs and goes on.
  {
    name: 'fsck-repairs',
    expected: 'success',
    base: 'checked',
    damage: disk => disk.debugfs('ssv state 0'),
    seconds: 120,
    decisive: LOGIN
  },
  // A folder is lost, the kernel makes the root read-only, half of the services fail, and the prompt comes all the same.
  {
    name: 'filesystem-errors',
    expected: 'success',
    base: 'bookworm',
    damage: disk => disk.debugfs('clri /var'),
    seconds: 90,
    decisive: LOGIN
  },
  // Kernel messages come when they like, such as right behind the prompt.
  {
    name: 'messages-cut-prompt',
    expected: 'success',
    base: 'alpine',
    damage: besidePrompt(
      'for i in $(seq 600); do echo "<4>noise $i of a driver that talks too much" > /dev/kmsg; usleep 20000; done'
    ),
    seconds: 60,
    decisive: LOGIN
  },
  {
    name: 'messages-flood',
    expected: 'success',
    base: 'alpine',
    damage: besidePrompt('for i in $(seq 3000); do echo "<4>noise $i" > /dev/kmsg; done'),
    seconds: 30,
    until: /noise 2999/,
    decisive: LOGIN
  },
  // Whoever has a first boot of its own, as cloud images and appliances do, resets the machine in it.
  {
    name: 'reboots-once',
    expected: 'success',
    base: 'alpine',
    damage: beforePrompt('[ -e /configured ] && exit', 'touch /configured', 'sync', 'exec reboot -f'),
    seconds: 90,
    decisive: LOGIN
  },
  {
    name: 'reboots-once-systemd',
    expected: 'success',
    base: 'bookworm',
    damage: files(files => {
      files.script('usr/local/sbin/first-boot', 'touch /configured', 'systemctl reboot')
      files.unit(
        'first-boot.service',
        oneshot(
          'First boot',
          '/usr/local/sbin/first-boot',
          'ConditionPathExists=!/configured',
          'Before=getty.target serial-getty@ttyS0.service systemd-user-sessions.service'
        ),
        'multi-user.target'
      )
    }),
    seconds: 180,
    decisive: LOGIN
  },
  // What applications say of themselves is no word of the system.
  {
    name: 'frightening-words',
    expected: 'success',
    base: 'alpine',
    damage: disk => {
      disk.files(files => files.write('etc/words', `${FRIGHTENING.join('\n')}\n`))
      beforePrompt('cat /etc/words > /dev/console')(disk)
    },
    seconds: 60,
    decisive: LOGIN
  },
  // The kernel kills the one that takes all memory, and the machine goes on.
  {
    name: 'memory-hog-killed',
    expected: 'success',
    base: 'alpine',
    memoryMiB: 256,
    damage: beforePrompt(
      'head -c 400m /dev/zero | tail > /dev/null',
      'echo "hog: ended with $?" > /dev/console'
    ),
    seconds: 90,
    decisive: LOGIN
  },
  // A program that crashes, and the kernel's own stack traces of a machine that is well.
  {
    name: 'traces',
    expected: 'success',
    base: 'alpine',
    damage: disk =>
      disk.files(files => {
        files.write('sbin/crash', crashingProgram(), '755')
        files.script(
          'sbin/early',
          '/sbin/crash',
          'echo l > /proc/sysrq-trigger',
          'echo t > /proc/sysrq-trigger',
          'echo m > /proc/sysrq-trigger'
        )
        files.change('etc/inittab', text => text.replace(/^ttyS0:/m, '::wait:/sbin/early\n$&'))
      }),
    seconds: 60,
    decisive: LOGIN
  },
  // Clears the screen, sets colours and a title, and draws with characters of several bytes before it asks for a name.
  {
    name: 'issue-with-escapes',
    expected: 'success',
    base: 'alpine',
    damage: files(files =>
      files.write(
        'etc/issue',
        '\u001b[2J\u001b[H\u001b]0;kiosk\u0007\u001b[1;32m┌────────────┐\u001b[0m\r\n\u001b[1;32m│ \u001b[5mKiosk 7 ✓\u001b[25m  │\u001b[0m\r\n\u001b[1;32m└────────────┘\u001b[0m\r\n\u001b[?25h\u001b(B'
      )
    ),
    seconds: 60,
    decisive: LOGIN
  },
  {
    name: 'application-asked-for',
    expected: 'success',
    asked: /READY on \d+/,
    base: 'alpine',
    damage: files(files => {
      noGetty(files)
      files.script('sbin/app', 'sleep 3', 'echo "app: READY on 8080" > /dev/console')
      files.append('etc/inittab', '::once:/sbin/app')
    }),
    seconds: 60,
    decisive: /READY on \d+/
  },
  // A prompt is there, but something else was asked for, and comes 8 seconds later.
  {
    name: 'application-after-prompt',
    expected: 'success',
    asked: /READY on \d+/,
    base: 'alpine',
    damage: besidePrompt('sleep 8', 'echo "app: READY on 8080" > /dev/console'),
    seconds: 60,
    decisive: /READY on \d+/
  },
  // Ten seconds of silence are no end.
  {
    name: 'slow',
    expected: 'success',
    base: 'alpine',
    damage: beforePrompt('echo "waiting for the database" > /dev/console', 'sleep 10'),
    seconds: 60,
    decisive: LOGIN
  },
  // A start job that has a limit, and is over before it.
  {
    name: 'start-job-slow',
    expected: 'success',
    base: 'bookworm',
    damage: files(files =>
      files.unit(
        'migrate.service',
        oneshot(
          'Migration of the database',
          '/bin/sleep 15',
          'Before=getty.target serial-getty@ttyS0.service systemd-user-sessions.service'
        ),
        'multi-user.target'
      )
    ),
    seconds: 120,
    decisive: LOGIN
  },
  // The prompt answers itself: what is left of it is followed by a name.
  {
    name: 'autologin',
    expected: 'success',
    base: 'bookworm',
    damage: files(files =>
      files.write(
        'etc/systemd/system/serial-getty@ttyS0.service.d/autologin.conf',
        '[Service]\nExecStart=\nExecStart=-/sbin/agetty --autologin root --keep-baud 115200 %I vt220\n'
      )
    ),
    seconds: 120,
    decisive: LOGIN
  },
  // Junk behind a whole initrd: the kernel complains as it does of half of one, and has all it needs. Ubuntu's does the same with
  // what pads its initrds (https://bugs.launchpad.net/bugs/1835660).
  {
    name: 'initrd-with-junk-behind',
    expected: 'success',
    base: 'alpine',
    damage: files(files => files.overwrite(INITRD, Buffer.alloc(4096, 0x55), files.size(INITRD))),
    seconds: 60,
    decisive: LOGIN
  },
  // The initrd complains of the init that is asked for, and takes the one there is.
  {
    name: 'init-falls-back',
    expected: 'success',
    base: 'bookworm',
    damage: args('init=/nonexistent'),
    seconds: 120,
    decisive: LOGIN
  },
  // What a panic's words look like in a place where a panic's words do not stand.
  {
    name: 'panic-in-command-line',
    expected: 'success',
    base: 'alpine',
    damage: args('panic=10 oops=panic break.me=premount init_note=emergency'),
    seconds: 60,
    decisive: LOGIN
  }
]

/** The firmware, the loader, and what they load. */
const LOADING: readonly Recipe[] = [
  {
    name: 'mbr-signature-wiped',
    expected: 'no-boot-device',
    base: 'alpine',
    damage: disk => disk.poke(510, Buffer.alloc(2)),
    seconds: 30,
    decisive: /Boot failed: not a bootable disk/
  },
  // Here it is the code of the MBR that speaks.
  {
    name: 'no-active-partition',
    expected: 'no-boot-device',
    base: 'alpine',
    damage: disk => disk.poke(446, Buffer.alloc(1)),
    seconds: 15,
    decisive: /Missing operating system/
  },
  {
    name: 'boot-sector-wiped',
    expected: 'no-boot-device',
    base: 'alpine',
    damage: disk => disk.pokeFilesystem(0, Buffer.alloc(1024)),
    seconds: 15,
    decisive: /Missing operating system/
  },
  {
    name: 'loader-corrupt',
    expected: 'loader-broken',
    base: 'alpine',
    damage: files(files => {
      const path = 'boot/extlinux/ldlinux.sys'
      files.unlock(path)
      files.overwrite(path, Buffer.alloc(32_768, 0x55))
    }),
    seconds: 20,
    decisive: /Boot error/
  },
  {
    name: 'loader-module-deleted',
    expected: 'loader-broken',
    base: 'alpine',
    damage: files(files => {
      files.unlock('boot/extlinux/ldlinux.c32')
      files.remove('boot/extlinux/ldlinux.c32')
    }),
    seconds: 20,
    decisive: /Failed to load ldlinux\.c32/
  },
  {
    name: 'loader-config-missing',
    expected: 'loader-broken',
    base: 'alpine',
    damage: files(files => files.remove('boot/extlinux/syslinux.cfg')),
    seconds: 20,
    decisive: /WARNING: No configuration file found/
  },
  {
    name: 'loader-config-empty',
    expected: 'loader-broken',
    base: 'alpine',
    damage: files(files => files.write('boot/extlinux/syslinux.cfg', '# nothing here\n')),
    seconds: 20,
    decisive: /No DEFAULT or UI configuration directive found/
  },
  // extlinux reads no file whose content lies in its inode, as that of a folder of few names does. It stops without a word.
  {
    name: 'loader-cannot-read-folder',
    expected: 'loader-broken',
    base: 'alpine',
    damage: disk => {
      disk.debugfs('feature inline_data')
      disk.files(files => files.remakeFolder('boot/extlinux'))
    },
    seconds: 15
  },
  // The loader takes the name of an entry that is not there for that of a kernel.
  {
    name: 'loader-entry-misspelt',
    expected: 'kernel-not-loaded',
    base: 'alpine',
    damage: files(files => files.loader(text => text.replace('DEFAULT linux', 'DEFAULT linus'))),
    seconds: 20,
    decisive: /^Loading .*\.\.\. *failed:/,
    says: 'linus'
  },
  // Loader and firmware both write to the serial port: each letter comes twice, and lines are torn by it.
  {
    name: 'kernel-deleted',
    expected: 'kernel-not-loaded',
    base: 'alpine',
    damage: files(files => files.remove(KERNEL)),
    seconds: 20,
    decisive: /^Loading .*\.\.\. *failed:/,
    says: `/${KERNEL}`
  },
  // Where only the firmware writes there, it comes once.
  {
    name: 'kernel-deleted-loader-silent',
    expected: 'kernel-not-loaded',
    base: 'alpine',
    damage: files(files => {
      files.remove(KERNEL)
      files.loader(text => text.replace(/^SERIAL .*\n/m, ''))
    }),
    seconds: 20,
    decisive: /^Loading .*\.\.\. *failed:/,
    says: `/${KERNEL}`
  },
  {
    name: 'initrd-deleted',
    expected: 'kernel-not-loaded',
    base: 'alpine',
    damage: files(files => files.remove(INITRD)),
    seconds: 20,
    decisive: /^Loading .*\.\.\. *failed:/,
    says: `/${INITRD}`
  },
  {
    name: 'kernel-is-text',
    expected: 'kernel-not-loaded',
    base: 'alpine',
    damage: files(files => files.write(KERNEL, 'version https://git-lfs.github.com/spec/v1\n'.repeat(20))),
    seconds: 20,
    decisive: /Booting kernel failed:/
  },
  // The first half of a kernel, as a download leaves it that broke off. It starts, and resets the machine before its first word.
  {
    name: 'kernel-truncated',
    expected: 'reboot-loop',
    base: 'alpine',
    damage: files(files => files.truncate(KERNEL, 4_000_000)),
    seconds: 10
  },
  // The kernel unpacks itself over what the loader put there, and resets the machine before its first word: no word of memory.
  {
    name: 'memory-64',
    expected: 'reboot-loop',
    base: 'alpine',
    memoryMiB: 64,
    seconds: 10
  },
  // There is room for the initrd as it comes, but not for what is in it.
  {
    name: 'memory-96',
    expected: 'out-of-memory',
    base: 'alpine',
    memoryMiB: 96,
    seconds: 40,
    until: /end Kernel panic/,
    decisive: /Kernel panic - not syncing: System is deadlocked on memory/
  },
  {
    name: 'memory-128-systemd',
    expected: 'out-of-memory',
    base: 'article',
    memoryMiB: 128,
    seconds: 40,
    until: /end Kernel panic/,
    decisive: /Kernel panic - not syncing: System is deadlocked on memory/
  },
  // "Initramfs unpacking failed" decides nothing by itself: a good boot may say it (initrd-with-junk-behind). What is lacking does.
  {
    name: 'initrd-truncated',
    expected: 'initrd-corrupt',
    base: 'alpine',
    damage: files(files => files.truncate(INITRD, 6_000_000)),
    seconds: 60,
    until: /^\(initramfs\)/,
    decisive: /^ALERT!.*does not exist/
  },
  {
    name: 'initrd-garbage',
    expected: 'initrd-corrupt',
    base: 'alpine',
    damage: files(files => files.overwrite(INITRD, Buffer.alloc(4096, 0x55))),
    seconds: 40,
    until: /end Kernel panic/,
    decisive: /VFS: Cannot open root device/
  },
  {
    name: 'initrd-corrupt-inside',
    expected: 'initrd-corrupt',
    base: 'alpine',
    damage: files(files => files.overwrite(INITRD, Buffer.alloc(65_536, 0x55), 5_000_000)),
    seconds: 70,
    until: /^\(initramfs\)/,
    decisive: /^ALERT!.*does not exist/
  },
  {
    name: 'initrd-corrupt-zstd',
    expected: 'initrd-corrupt',
    base: 'bookworm',
    damage: files(files => {
      const path = files.only('boot/initrd.img-*')
      files.overwrite(path, Buffer.alloc(65_536, 0x55), 5_000_000)
    }),
    seconds: 60,
    until: /^\(initramfs\)|end Kernel panic/,
    decisive: /^ALERT!.*does not exist/
  }
]

/** The root filesystem and init. */
const ROOT: readonly Recipe[] = [
  // With all the time that the initrd gives a disk to appear.
  {
    name: 'root-uuid-wrong',
    expected: 'no-root',
    base: 'alpine',
    damage: files(files => wrongRoot(files, NO_UUID)),
    seconds: 120,
    until: /^\(initramfs\)/,
    decisive: /^ALERT!.*does not exist/,
    says: NO_UUID
  },
  // The initrd resets the machine then, and so for ever.
  {
    name: 'root-device-wrong-panic',
    expected: 'no-root',
    base: 'alpine',
    damage: files(files => {
      wrongRoot(files, '/dev/sdz9')
      files.args('panic=2')
    }),
    seconds: 60,
    until: /(?!)/,
    decisive: /^ALERT!.*does not exist/,
    says: '/dev/sdz9'
  },
  {
    name: 'root-wrong-without-initrd',
    expected: 'no-root',
    base: 'alpine',
    diskBus: 'nvme',
    damage: withoutInitrd('/dev/nvme0n1p7'),
    seconds: 40,
    until: /end Kernel panic/,
    decisive: /VFS: Cannot open root device/,
    says: 'nvme0n1p7'
  },
  // The kernel lists no partition at all.
  {
    name: 'disk-without-driver-without-initrd',
    expected: 'no-root',
    base: 'alpine',
    damage: withoutInitrd('/dev/vda1'),
    seconds: 40,
    until: /end Kernel panic/,
    decisive: /VFS: Cannot open root device/,
    says: 'vda1'
  },
  // Says what it waits for, once, and waits for ever.
  {
    name: 'root-waited-for',
    expected: 'no-root',
    base: 'alpine',
    diskBus: 'nvme',
    damage: withoutInitrd('/dev/nvme0n1p7', 'rootwait'),
    seconds: 40,
    says: '/dev/nvme0n1p7'
  },
  {
    name: 'disk-without-driver',
    expected: 'no-root',
    base: 'alpine',
    diskBus: 'sata',
    seconds: 90,
    until: /^\(initramfs\)/,
    decisive: /^ALERT!.*does not exist/
  },
  // The filesystem ends behind the disk's end, which the loader does not see.
  {
    name: 'disk-cut-short',
    expected: 'no-root',
    base: 'alpine',
    damage: disk => disk.cut(8 << 20),
    seconds: 90,
    until: /^\(initramfs\)/,
    decisive: /^Failed to mount \S+ as root file system/,
    says: '/dev/vda1'
  },
  // Made with a feature that this kernel has never heard of, in the highest bit of the superblock's s_feature_incompat.
  {
    name: 'filesystem-too-new',
    expected: 'no-root',
    base: 'alpine',
    damage: disk => disk.pokeFilesystem(1024 + 0x63, Buffer.from([0x80])),
    seconds: 90,
    until: /^\(initramfs\)/,
    decisive: /^Failed to mount \S+ as root file system/,
    says: '/dev/vda1'
  },
  {
    name: 'journal-damaged',
    expected: 'no-root',
    base: 'alpine',
    damage: disk => disk.debugfs('clri <8>'),
    seconds: 90,
    until: /^\(initramfs\)/,
    decisive: /^Failed to mount \S+ as root file system/,
    says: '/dev/vda1'
  },
  // What fsck does not dare to repair by itself.
  {
    name: 'fsck-gives-up',
    expected: 'filesystem-damaged',
    base: 'checked',
    damage: disk => {
      // The file's map of extents begins with what is none.
      disk.debugfs('sif /usr/bin/dpkg block[0] 7')
      disk.debugfs('ssv state 0')
    },
    seconds: 60,
    until: /^\(initramfs\)/,
    decisive: /File system check of the root filesystem failed/
  },
  {
    name: 'root-type-wrong',
    expected: 'no-root',
    base: 'alpine',
    damage: files(files => files.loader(text => text.replace('rootfstype=ext4', 'rootfstype=xfs'))),
    seconds: 90,
    until: /^\(initramfs\)/,
    decisive: /^Failed to mount \S+ as root file system/,
    says: '/dev/vda1'
  },
  {
    name: 'root-type-wrong-without-initrd',
    expected: 'no-root',
    base: 'alpine',
    diskBus: 'nvme',
    damage: disk => {
      withoutInitrd('/dev/nvme0n1p1')(disk)
      disk.files(files => files.loader(text => text.replace('rootfstype=ext4', 'rootfstype=xfs')))
    },
    seconds: 40,
    until: /end Kernel panic/,
    decisive: /VFS: (?:Cannot open root device|Unable to mount root fs)/
  },
  {
    name: 'root-wrong-dracut',
    expected: 'no-root',
    base: 'dracut',
    damage: files(files => {
      wrongRoot(files, NO_UUID)
      files.args('rd.retry=15 rd.timeout=20')
    }),
    seconds: 110,
    until: /^Press Enter for maintenance/,
    decisive: /^Warning: \/dev\/disk\/by-uuid\/.* does not exist/,
    says: NO_UUID.replace('UUID=', '')
  },
  {
    name: 'break-asked-for',
    expected: 'initramfs-shell',
    base: 'alpine',
    damage: args('break=mount'),
    seconds: 40,
    decisive: /^Spawning shell within the initramfs/
  },
  // For want of an init the initrd takes /bin/sh, which waits for commands as the first process. That it complains of the init asked
  // for decides nothing by itself (init-falls-back).
  {
    name: 'init-deleted',
    expected: 'no-init',
    base: 'alpine',
    damage: files(files => files.remove('sbin/init')),
    seconds: 40,
    decisive: /can't access tty; job control turned off/
  },
  {
    name: 'init-and-shell-deleted',
    expected: 'no-init',
    base: 'alpine',
    damage: files(files => files.remove('sbin/init', 'bin/sh')),
    seconds: 40,
    decisive: /^No init found\. Try passing init= bootarg/
  },
  {
    name: 'init-nonexistent-without-initrd',
    expected: 'no-init',
    base: 'alpine',
    diskBus: 'nvme',
    damage: withoutInitrd('/dev/nvme0n1p1', 'init=/nonexistent'),
    seconds: 40,
    decisive: /Kernel panic - not syncing: Requested init/,
    says: '/nonexistent'
  },
  {
    name: 'init-deleted-without-initrd',
    expected: 'no-init',
    base: 'alpine',
    diskBus: 'nvme',
    damage: disk => {
      withoutInitrd('/dev/nvme0n1p1')(disk)
      disk.files(files => files.remove('sbin/init', 'bin/sh'))
    },
    seconds: 40,
    decisive: /Kernel panic - not syncing: No working init found/
  },
  // The initrd's run-init ends, which is the first process then: its words and the kernel's of its end cut into each other.
  {
    name: 'init-without-interpreter',
    expected: 'no-init',
    base: 'alpine',
    damage: files(files => files.write('sbin/init', '#!/bin/nonexistent\nexit 0\n', '755')),
    seconds: 40,
    decisive: /Kernel panic - not syncing: Attempted to kill init!/
  },
  {
    name: 'init-of-another-machine',
    expected: 'no-init',
    base: 'alpine',
    damage: files(files => files.write('sbin/init', crashingProgram(AARCH64), '755')),
    seconds: 40,
    decisive: /Kernel panic - not syncing: Attempted to kill init!/
  },
  {
    name: 'init-exits',
    expected: 'init-died',
    base: 'alpine',
    // The kernel does not wait for what init has written to the serial port.
    damage: files(files => files.script('sbin/init', 'echo my last words', 'sleep 1', 'exit 1')),
    seconds: 40,
    decisive: /Kernel panic - not syncing: Attempted to kill init!/
  },
  {
    name: 'init-crashes',
    expected: 'init-died',
    base: 'alpine',
    damage: files(files => files.write('sbin/init', crashingProgram(), '755')),
    seconds: 40,
    decisive: /Kernel panic - not syncing: Attempted to kill init!/
  },
  {
    name: 'init-lacks-library',
    expected: 'init-died',
    base: 'bookworm',
    damage: files(files => files.remove(files.only('usr/lib/x86_64-linux-gnu/systemd/libsystemd-core-*.so'))),
    seconds: 60,
    until: /end Kernel panic/,
    decisive: /error while loading shared libraries/,
    says: 'libsystemd-core'
  },
  // systemd without a single unit to start.
  {
    name: 'systemd-without-units',
    expected: 'init-crashes',
    base: 'bookworm',
    damage: files(files => files.remove('usr/lib/systemd/system')),
    seconds: 60,
    decisive: /Freezing execution/
  },
  {
    name: 'systemd-without-run',
    expected: 'init-crashes',
    base: 'bookworm',
    damage: files(files => {
      files.remove('run')
      files.write('run', '')
    }),
    seconds: 60,
    decisive: /Freezing execution/
  },
  // To a kernel, timers that do not tick in time are timers that are not there.
  {
    name: 'no-timer',
    expected: 'no-timer',
    base: 'alpine',
    board: 'hpet=off,pit=off',
    seconds: 20,
    decisive: /Kernel panic - not syncing: IO-APIC/
  },
  {
    name: 'crash-by-sysrq',
    expected: 'panic',
    base: 'alpine',
    damage: beforePrompt('echo c > /proc/sysrq-trigger'),
    seconds: 40,
    decisive: /Kernel panic - not syncing/,
    says: 'sysrq triggered crash'
  },
  // By then udev has loaded the driver by which the kernel tells QEMU of its end.
  {
    name: 'crash-under-systemd',
    expected: 'panic',
    base: 'bookworm',
    damage: files(crashService),
    seconds: 60,
    until: /end Kernel panic/,
    decisive: /Kernel panic - not syncing/,
    says: 'sysrq triggered crash'
  },
  // Only QEMU knows.
  {
    name: 'crash-on-display',
    expected: 'panic',
    base: 'bookworm',
    damage: files(files => {
      crashService(files)
      onDisplay(files)
    }),
    seconds: 35
  },
  {
    name: 'panic-that-reboots',
    expected: 'panic',
    base: 'alpine',
    damage: disk => {
      beforePrompt('echo c > /proc/sysrq-trigger')(disk)
      args('panic=1')(disk)
    },
    seconds: 45,
    until: /(?!)/,
    decisive: /Kernel panic - not syncing/
  }
]

/** What init comes to, when there is one. */
const SYSTEM: readonly Recipe[] = [
  // The Debian images' root has no password, but is locked.
  {
    name: 'fstab-disk-missing',
    expected: 'emergency-mode',
    base: 'bookworm',
    damage: files(files =>
      files.append('etc/fstab', `${NO_UUID} /data ext4 defaults,x-systemd.device-timeout=5s 0 2`)
    ),
    seconds: 120,
    until: /Press Enter|root account is locked/,
    decisive: /You are in emergency mode|Cannot open access to console/,
    says: /\/data|data\.mount/
  },
  {
    name: 'fstab-disk-missing-root-open',
    expected: 'emergency-mode',
    base: 'bookworm',
    damage: files(files => {
      files.append('etc/fstab', `${NO_UUID} /data ext4 defaults,x-systemd.device-timeout=5s 0 2`)
      files.change('etc/shadow', text => text.replace(/^root:[^:]*:/m, 'root::'))
    }),
    seconds: 120,
    until: /^Press Enter/,
    decisive: /You are in emergency mode/,
    says: /\/data|data\.mount/
  },
  // With a password there is a prompt that looks as if all were well.
  {
    name: 'fstab-type-wrong',
    expected: 'emergency-mode',
    base: 'bookworm',
    damage: files(files => {
      files.append('etc/fstab', '/dev/vda1 /data xfs defaults 0 0')
      files.change('etc/shadow', text => text.replace(/^root:[^:]*:/m, 'root:$6$salt$mustnotmatch:'))
    }),
    seconds: 120,
    until: /^Give root password/,
    decisive: /You are in emergency mode/,
    says: /\/data|data\.mount/
  },
  {
    name: 'local-filesystems-fail',
    expected: 'emergency-mode',
    base: 'trixie',
    damage: files(files =>
      files.unit(
        'unlock.service',
        oneshot('Unlock the vault', '/bin/false', 'DefaultDependencies=no', 'Before=local-fs.target'),
        'local-fs.target',
        'requires'
      )
    ),
    seconds: 150,
    until: /Press Enter|root account is locked/,
    decisive: /You are in emergency mode|Cannot open access to console/,
    says: 'unlock.service'
  },
  // What systemd's prompt is called elsewhere: a filesystem that is to be checked, and is not there.
  {
    name: 'sysvinit-fsck-fails',
    expected: 'emergency-mode',
    base: 'sysvinit',
    damage: files(files => files.append('etc/fstab', `${NO_UUID} /data ext4 defaults 0 2`)),
    seconds: 90,
    until: /^Press Enter/,
    decisive: /A maintenance shell will now be started/,
    says: NO_UUID
  },
  {
    name: 'rescue-asked-for',
    expected: 'rescue',
    base: 'bookworm',
    damage: args('systemd.unit=rescue.target'),
    seconds: 90,
    until: /Press Enter|root account is locked/,
    decisive: /You are in rescue mode|Cannot open access to console/
  },
  {
    name: 'emergency-asked-for',
    expected: 'rescue',
    base: 'bookworm',
    damage: args('systemd.unit=emergency.target'),
    seconds: 90,
    until: /Press Enter|root account is locked/,
    decisive: /You are in emergency mode|Cannot open access to console/
  },
  {
    name: 'single-user-asked-for',
    expected: 'rescue',
    base: 'sysvinit',
    damage: args('single'),
    seconds: 90,
    decisive: /^Press Enter for maintenance/
  },
  // By systemd's word the machine is up, with a prompt on the serial port, which agetty is not let to open. Only the denials tell.
  {
    name: 'selinux-unlabelled',
    expected: 'selinux-lockout',
    base: 'selinux',
    seconds: 120
  },
  {
    name: 'init-reboots',
    expected: 'reboot-loop',
    base: 'alpine',
    damage: beforePrompt('sleep 1', 'exec reboot -f'),
    seconds: 45
  },
  {
    name: 'systemd-reboots',
    expected: 'reboot-loop',
    base: 'bookworm',
    damage: files(files =>
      files.unit(
        'updater.service',
        oneshot(
          'Update and restart',
          '/bin/systemctl reboot',
          'Before=getty.target serial-getty@ttyS0.service systemd-user-sessions.service'
        ),
        'multi-user.target'
      )
    ),
    seconds: 60
  },
  // By three faults of the processor at once, which is what reboot=t makes of the kernel's reset.
  {
    name: 'triple-fault',
    expected: 'reboot-loop',
    base: 'alpine',
    damage: disk => {
      beforePrompt('echo b > /proc/sysrq-trigger')(disk)
      args('reboot=t,force quiet')(disk)
    },
    seconds: 40
  },
  // The keyboard controller's reset line, pulled by the MBR's first instructions.
  {
    name: 'loader-resets',
    expected: 'reboot-loop',
    base: 'alpine',
    damage: disk => disk.poke(0, Buffer.from([0xb0, 0xfe, 0xe6, 0x64, 0xf4])),
    seconds: 20
  },
  {
    name: 'powers-off',
    expected: 'shutdown',
    base: 'alpine',
    damage: beforePrompt('sleep 1', 'exec poweroff -f'),
    seconds: 20
  },
  {
    name: 'systemd-powers-off',
    expected: 'shutdown',
    base: 'bookworm',
    damage: files(files =>
      files.unit(
        'battery.service',
        oneshot(
          'Battery guard',
          '/bin/systemctl poweroff',
          'Before=getty.target serial-getty@ttyS0.service systemd-user-sessions.service'
        ),
        'multi-user.target'
      )
    ),
    seconds: 35
  },
  // No event: only the kernel's word tells that nothing will follow.
  {
    name: 'halts',
    expected: 'halted',
    base: 'alpine',
    damage: beforePrompt('sleep 1', 'exec halt -f'),
    seconds: 20,
    decisive: /reboot: System halted/
  },
  // serial-console: false. The firmware's words are all there is.
  {
    name: 'console-on-display',
    expected: 'silent-console',
    base: 'alpine',
    damage: files(files => {
      onDisplay(files)
      files.change('etc/inittab', text => text.replace(/^ttyS0:.*\n/m, ''))
    }),
    seconds: 30
  },
  {
    name: 'console-on-display-quiet',
    expected: 'silent-console',
    base: 'bookworm',
    damage: files(files => {
      files.loader(text => text.replace(/ console=ttyS0,115200/, ' quiet'))
      files.link('etc/systemd/system/serial-getty@ttyS0.service', '/dev/null')
    }),
    seconds: 30
  },
  // BusyBox init does not say that it has done all that it was to do.
  {
    name: 'getty-missing',
    expected: 'timeout',
    base: 'alpine',
    damage: files(noGetty),
    seconds: 40,
    says: 'init was running'
  },
  {
    name: 'getty-masked',
    expected: 'getty-missing',
    base: 'bookworm',
    damage: files(files => files.link('etc/systemd/system/serial-getty@ttyS0.service', '/dev/null')),
    seconds: 60
  },
  // The program is there, but what it needs is not: respawned for ever.
  {
    name: 'getty-fails',
    expected: 'getty-missing',
    base: 'alpine',
    damage: files(files =>
      files.change('etc/inittab', text => text.replace(/^ttyS0:.*$/m, 'ttyS0::respawn:/sbin/agetty ttyS0'))
    ),
    seconds: 40,
    says: '/sbin/agetty'
  },
  {
    name: 'start-job-hangs',
    expected: 'timeout',
    base: 'bookworm',
    damage: files(files =>
      files.unit(
        'license.service',
        [
          ...oneshot(
            'Wait for the licence server',
            '/bin/sleep infinity',
            'DefaultDependencies=no',
            'Before=sysinit.target'
          ),
          'TimeoutStartSec=infinity'
        ],
        'sysinit.target',
        'requires'
      )
    ),
    seconds: 60,
    says: /licence server|license\.service/
  },
  {
    name: 'init-hangs',
    expected: 'timeout',
    base: 'alpine',
    damage: files(files => files.script('sbin/init', 'echo "init: starting"', 'sleep 86400')),
    seconds: 30
  },
  {
    name: 'script-hangs',
    expected: 'timeout',
    base: 'sysvinit',
    damage: files(files => {
      files.script('etc/init.d/licence', 'echo "Waiting for the licence server ..."', 'sleep 86400')
      files.change('etc/inittab', text =>
        text.replace(/^si::sysinit:.*$/m, 'si::sysinit:/etc/init.d/licence')
      )
    }),
    seconds: 40,
    says: 'licence server'
  },
  // Asked for what never comes, with a prompt that has no bearing on it.
  {
    name: 'application-never-ready',
    expected: 'timeout',
    asked: /READY on \d+/,
    base: 'alpine',
    damage: besidePrompt('sleep 3', 'echo "app: database unreachable" > /dev/console'),
    seconds: 40
  }
]

export const RECIPES: readonly Recipe[] = [...GOOD, ...LOADING, ...ROOT, ...SYSTEM]
