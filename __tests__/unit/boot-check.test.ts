import { ConsoleLines } from '../../src/boot-check/console.ts'
import { CAUSES, judgeLine } from '../../src/boot-check/diagnosis.ts'
import { KVM_FAILURE, qemuArgv } from '../../src/boot-check/machine.ts'
import { ConsoleWatch } from '../../src/boot-check/watch.ts'

describe('console lines', () => {
  const text =
    '\u001b[2J\u001b[0;32m  OK  \u001b[0m] Started\r\nprogress 1%\rprogress 100%\r\nüber\r\n\r\nhost login: '
  const lines = ['  OK  ] Started', 'progress 100%', 'über', '']

  test.each([1, 2, 5, 1000])('in chunks of %i bytes', size => {
    const bytes = Buffer.from(text)
    const console = new ConsoleLines()
    const seen: string[] = []
    for (let at = 0; at < bytes.length; at += size) seen.push(...console.write(bytes.subarray(at, at + size)))
    expect(seen).toEqual(lines)
    expect(console.partial).toBe('host login: ')
  })

  test('a line of megabytes costs no megabytes', () => {
    const console = new ConsoleLines()
    for (let i = 0; i < 1000; i++) console.write(Buffer.alloc(10_000, 'x'))
    expect(console.partial.length).toBeLessThanOrEqual(4096)
    expect(console.write(Buffer.from('\nhost login: '))).toHaveLength(1)
    expect(console.partial).toBe('host login: ')
  })
})

test.each([
  'debian login: ',
  'my-host.example login:',
  '(none) login: ',
  'localhost login: [    9.1] random: crng init done',
  'login: '
])('%j is success', line => {
  expect(judgeLine(line, null)).toBe('success')
})

test.each([
  'Last login: Mon Nov  2 10:00:00 UTC 2026 on ttyS0',
  'systemd-logind: New session',
  'Starting User Login Management...',
  'pam: failed login: root',
  '[    1.0] Kernel command line: root=UUID=x panic=5',
  '[    0.9] Run /sbin/init as init process',
  '[    1.2] Freeing initrd memory: 20000K',
  'Begin: Running /scripts/local-bottom ... done.',
  '[    2.0] EXT4-fs (vda1): mounted filesystem with ordered data mode.',
  'Loading /boot/vmlinuz-virt... ok',
  '         Starting Emergency Shell service check...',
  ''
])('%j decides nothing', line => {
  expect(judgeLine(line, null)).toBeNull()
})

test.each([
  ['No bootable device.', 'no-boot-device'],
  ['Boot failed: not a bootable disk', 'no-boot-device'],
  ['Failed to load ldlinux.c32', 'loader-broken'],
  ['Loading /boot/vmlinuz... failed: No such file or directory', 'kernel-not-loaded'],
  ['[    1.1] VFS: Unable to mount root fs on unknown-block(0,0)', 'no-root'],
  ['[    1.1] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)', 'no-root'],
  ['ALERT!  UUID=1234 does not exist.  Dropping to a shell!', 'no-root'],
  ['(initramfs) ', 'initramfs-shell'],
  ['[    3.2] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100', 'init-died'],
  [
    '[    3.2] Kernel panic - not syncing: No working init found.  Try passing init= option to kernel.',
    'no-init'
  ],
  ['[    3.2] Kernel panic - not syncing: Fatal exception in interrupt', 'panic'],
  ['[    0.5] Kernel panic - not syncing: System is deadlocked on memory', 'out-of-memory'],
  ['You are in emergency mode. After logging in, type "journalctl -xb"', 'emergency-mode'],
  ['Cannot open access to console, the root account is locked.', 'emergency-mode']
])('%j is %s', (line, id) => {
  expect(judgeLine(line, null)).toMatchObject({ id })
})

test('a pattern of the user replaces the login prompt, not the failures', () => {
  expect(judgeLine('APP READY on 8080', /READY on \d+/)).toBe('success')
  expect(judgeLine('debian login: ', /READY on \d+/)).toBeNull()
  expect(judgeLine('(initramfs)', /READY on \d+/)).toMatchObject({ id: 'initramfs-shell' })
})

test('every cause says what happened and what to change', () => {
  for (const cause of CAUSES) {
    expect(cause.summary).toMatch(/^[A-Z].*\.$/)
    expect(cause.advice.length).toBeGreaterThan(20)
  }
  expect(new Set(CAUSES.map(cause => cause.id)).size).toBe(CAUSES.length)
})

const MACHINE = {
  name: 'docker-to-disk-x',
  memoryMiB: 1024,
  cpus: 2,
  overlay: '/w/a,b "c"/o.qcow2',
  monitor: '/tmp/m,n',
  guest: null,
  forwards: [],
  devices: { diskBus: 'virtio', networkCard: 'virtio' }
} as const

test('the machine of a boot check', () => {
  const argv = qemuArgv({ ...MACHINE, accelerator: 'tcg' })
  const after = (flag: string): string | undefined => argv[argv.indexOf(flag) + 1]
  expect(argv[0]).toBe('qemu-system-x86_64')
  expect(after('-name')).toBe('docker-to-disk-x')
  expect(after('-accel')).toBe('tcg,thread=multi')
  expect(after('-m')).toBe('1024M')
  expect(JSON.parse(after('-blockdev') ?? '')).toMatchObject({
    driver: 'qcow2',
    file: { filename: '/w/a,b "c"/o.qcow2' }
  })
  expect(after('-chardev')).toBe('socket,id=monitor,path=/tmp/m,,n,server=on,wait=off')
  expect(after('-netdev')).toBe('user,id=net,restrict=on')
  expect(argv).toContain('-no-reboot')
  expect(qemuArgv({ ...MACHINE, accelerator: 'tcg', forwards: [22, 8080] })).toContain(
    'user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:0-:22,hostfwd=tcp:127.0.0.1:0-:8080'
  )
  expect(qemuArgv({ ...MACHINE, accelerator: 'kvm' })).toEqual(
    expect.arrayContaining(['-accel', 'kvm', '-cpu', 'host'])
  )
})

test('a second serial port only where something speaks through it', () => {
  const ports = (guest: string | null): string[] => {
    const argv = qemuArgv({ ...MACHINE, accelerator: 'tcg', guest })
    return argv.filter((_, i) => argv[i - 1] === '-serial')
  }
  expect(ports(null)).toEqual(['stdio'])
  expect(ports('g')).toEqual(['stdio', 'chardev:guest'])
})

test.each([
  ['virtio', ['virtio-blk-pci,drive=disk,bootindex=1']],
  ['sata', ['ide-hd,bus=ide.0,drive=disk,bootindex=1']],
  ['nvme', ['nvme,serial=docker-to-disk,drive=disk,bootindex=1']],
  ['scsi', ['virtio-scsi-pci,id=scsi', 'scsi-hd,bus=scsi.0,drive=disk,bootindex=1']]
] as const)('a disk on %s', (diskBus, devices) => {
  const argv = qemuArgv({ ...MACHINE, accelerator: 'tcg', devices: { diskBus, networkCard: 'e1000' } })
  expect(argv).toEqual(expect.arrayContaining([...devices, 'e1000,netdev=net,romfile=']))
  expect(argv.filter(argument => argument.includes('drive=disk'))).toHaveLength(1)
})

test.each([
  'KVM internal error. Suberror: 1',
  'qemu-system-x86_64: failed to initialize kvm: No such device',
  'Could not access KVM kernel module: Permission denied'
])('%j means that KVM does not work', words => {
  expect(words).toMatch(KVM_FAILURE)
})

describe('following a console', () => {
  const follow = (text: string, size: number, pattern: RegExp | null = null): ConsoleWatch => {
    const watch = new ConsoleWatch(pattern)
    const bytes = Buffer.from(text)
    for (let at = 0; at < bytes.length; at += size) watch.write(bytes.subarray(at, at + size))
    return watch
  }
  const many = Array.from({ length: 30 }, (_, i) => `line ${i}`)

  test.each([1, 10, 10_000])('a prompt without newline is success, in chunks of %i bytes', size => {
    const watch = follow(`${many.join('\r\n')}\r\nhost login: `, size)
    expect(watch.decision?.outcome).toBe('success')
    expect(watch.decision?.line.trim()).toBe('host login:')
  })

  test.each([1, 10, 10_000])(
    'a failure is quoted with what led to it and what followed, in chunks of %i bytes',
    size => {
      const panic = '[ 1.0] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100'
      const watch = follow(`${many.join('\n')}\n${panic}\n${many.join('\n')}\n`, size)
      expect(watch.decision?.outcome).toMatchObject({ id: 'init-died' })
      expect(watch.quotation.slice(0, 15)).toEqual(many.slice(-15))
      expect(watch.quotation[15]).toMatch(/Attempted to kill init!/)
      expect(watch.quotation.slice(-4)).toEqual(many.slice(0, 4))
    }
  )

  test('without a decision the last lines are quoted, the unfinished one too', () => {
    const watch = follow(`${many.join('\n')}\nstill star`, 7)
    expect(watch.decision).toBeNull()
    expect(watch.quotation).toEqual([...many.slice(-16), 'still star'])
  })

  test('what comes after success changes nothing', () => {
    expect(follow('host login: \nKernel panic - not syncing: x\n', 5).decision?.outcome).toBe('success')
  })

  test('silence is silence', () => {
    expect(follow('\u001b[2J\r\n\r\n', 1).spoke).toBe(false)
    expect(follow('x', 1).spoke).toBe(true)
  })
})
