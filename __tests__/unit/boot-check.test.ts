import { ConsoleLines, Strands } from '../../src/boot-check/console.ts'
import { KVM_FAILURE, qemuArgv } from '../../src/boot-check/machine.ts'

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
    expect(console.partial.length).toBeLessThanOrEqual(8192)
    // Its end may be what counts.
    console.write(Buffer.from('(initramfs) '))
    expect(console.partial).toMatch(/^x+\(initramfs\) $/)
    expect(console.write(Buffer.from('\nhost login: '))).toHaveLength(1)
    expect(console.partial).toBe('host login: ')
  })
})

test('what begins anew on a cleared screen is a line of its own', () => {
  const console = new ConsoleLines()
  expect(console.write(Buffer.from('Booting\u001b[H\u001b[2J\u001b[mdebian login: '))).toEqual(['Booting'])
  expect(console.partial).toBe('debian login: ')
  expect(console.write(Buffer.from('\u001bc\u001b[1;1HWelcome\r\n'))).toEqual(['debian login: ', 'Welcome'])
})

test('the firmware puts the cursor where it is', () => {
  const console = new ConsoleLines()
  expect(console.write(Buffer.from('Lo\u001b[05;02H\u001b[05;03Hading /boot/vmlinuz\r\n'))).toEqual([
    'Loading /boot/vmlinuz'
  ])
})

test('a progress bar of any length is its last state', () => {
  const console = new ConsoleLines()
  for (let i = 0; i <= 5000; i++) console.write(Buffer.from(`\rchecking ${i} of 5000`))
  expect(console.partial).toBe('checking 5000 of 5000')
  expect(console.write(Buffer.from('\r\n'))).toEqual(['checking 5000 of 5000'])
})

describe('lines that the kernel wrote into', () => {
  const take = (text: string, size: number): { lines: string[]; partial: string } => {
    const bytes = Buffer.from(text)
    const strands = new Strands()
    const lines: string[] = []
    for (let at = 0; at < bytes.length; at += size)
      lines.push(...strands.write(bytes.subarray(at, at + size)))
    return { lines, partial: strands.partial }
  }

  test.each([1, 3, 1000])('come out whole, in chunks of %i bytes', size => {
    const cut = 'debian lo[    9.123456] random: crng init done\r\ngi[   10.000000][    T1] eth0: up\r\nn: '
    expect(take(cut, size)).toEqual({
      lines: ['[    9.123456] random: crng init done', '[   10.000000][    T1] eth0: up'],
      partial: 'debian login: '
    })
    expect(take(`${cut}root\r\nPassword: `, size)).toEqual({
      lines: [
        '[    9.123456] random: crng init done',
        '[   10.000000][    T1] eth0: up',
        'debian login: root'
      ],
      partial: ''
    })
  })

  test('nothing comes out twice where nothing was cut', () => {
    const whole = 'Starting\r\n[    9.123456] random: crng init done\r\n[ 1.5] no stamp\r\ndebian login: '
    expect(take(whole, 7)).toEqual({ lines: [], partial: '' })
  })

  test('an escape sequence may be cut too', () => {
    expect(take('\u001b[0;3[    9.123456] eth0: up\r\n2mgreen\r\n', 5).lines).toEqual([
      '[    9.123456] eth0: up',
      'green'
    ])
  })
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
  // A reset is counted, not the end; a machine that is off stays for its picture.
  expect(argv).not.toContain('-no-reboot')
  expect(argv).toContain('-no-shutdown')
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
