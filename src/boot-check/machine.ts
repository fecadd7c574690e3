import type { DiskBus } from '../distro/disk-buses.ts'
import type { Devices } from './devices.ts'

/** The virtual machine of a boot check. */
export type Machine = Readonly<{
  /** Name by which its process is found again. */
  name: string
  accelerator: 'kvm' | 'tcg'
  memoryMiB: number
  cpus: number
  /** qcow2 overlay on the disk, thrown away afterwards. */
  overlay: string
  /** Path of the QMP socket. */
  monitor: string
  /** Path of the socket that the second serial port leads to; null for none. */
  guest: string | null
  /** TCP ports of the guest that free ports of the host's loopback address lead to; QMP tells which. */
  forwards: readonly number[]
  devices: Devices
}>

/** The command that starts the machine; its first serial port is the command's standard input and output. */
export function qemuArgv(machine: Machine): string[] {
  const disk = {
    driver: 'qcow2',
    'node-name': 'disk',
    // The overlay is thrown away: what the guest flushes need not reach the host's disk.
    cache: { 'no-flush': true },
    file: { driver: 'file', filename: machine.overlay }
  }
  return [
    ...['qemu-system-x86_64', '-name', machine.name, '-nodefaults', '-no-user-config', '-display', 'none'],
    // With this SeaBIOS speaks on the serial port too, so that "No bootable device" is seen; the display comes below.
    ...['-machine', 'q35,graphics=off', '-accel', machine.accelerator === 'tcg' ? 'tcg,thread=multi' : 'kvm'],
    // All that a machine of today has: recent distributions are built for x86-64-v2 and v3.
    ...['-cpu', machine.accelerator === 'tcg' ? 'max,la57=off' : 'host'],
    ...['-m', `${machine.memoryMiB}M`, '-smp', `${machine.cpus}`],
    ...[
      '-blockdev',
      JSON.stringify(disk),
      ...DISKS[machine.devices.diskBus].flatMap(device => ['-device', device])
    ],
    ...[
      '-netdev',
      network(machine.forwards),
      '-device',
      `${CARDS[machine.devices.networkCard]},netdev=net,romfile=`
    ],
    ...['-device', 'virtio-rng-pci', '-serial', 'stdio'],
    ...(machine.guest === null
      ? []
      : ['-chardev', socket('guest', machine.guest), '-serial', 'chardev:guest']),
    ...['-chardev', socket('monitor', machine.monitor), '-mon', 'chardev=monitor,mode=control'],
    // A display for the screenshot. It comes last so that the other devices are where they would be without it.
    ...['-device', 'VGA'],
    // Where the kernel has the driver, QEMU is told of a panic even if the console is silent, and stops the machine.
    ...['-device', 'pvpanic'],
    // A machine that powers itself off stays, so that its display is still there.
    ...['-no-shutdown', '-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny']
  ]
}

/** The board has an AHCI controller of its own. */
const DISKS: Record<DiskBus, readonly string[]> = {
  virtio: ['virtio-blk-pci,drive=disk,bootindex=1'],
  sata: ['ide-hd,bus=ide.0,drive=disk,bootindex=1'],
  nvme: ['nvme,serial=docker-to-disk,drive=disk,bootindex=1'],
  scsi: ['virtio-scsi-pci,id=scsi', 'scsi-hd,bus=scsi.0,drive=disk,bootindex=1']
}

const CARDS: Record<Devices['networkCard'], string> = {
  virtio: 'virtio-net-pci',
  e1000: 'e1000',
  e1000e: 'e1000e',
  vmxnet3: 'vmxnet3'
}

/**
 * A network that answers DHCP, so that nothing waits for an address, and leads nowhere: the guest is a stranger. Port 0 lets the
 * kernel choose a free one.
 */
const network = (forwards: readonly number[]): string =>
  ['user,id=net,restrict=on', ...forwards.map(port => `hostfwd=tcp:127.0.0.1:0-:${port}`)].join(',')

/** QEMU takes no JSON here; in its option syntax a comma in a value is doubled. */
const socket = (id: string, path: string): string =>
  `socket,id=${id},path=${path.replaceAll(',', ',,')},server=on,wait=off`

/** What QEMU says on standard error when KVM is there and does not work. */
export const KVM_FAILURE =
  /KVM internal error|failed to initialize kvm|Could not access KVM|kvm.*(?:not supported|failed)|invalid accelerator kvm/i
