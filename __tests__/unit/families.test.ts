import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FAMILIES, familyOf } from '../../src/distro/families.ts'
import {
  type Circumstances,
  GENERIC_DRACUT,
  installCommands,
  PARTS,
  type Part,
  packagesFor
} from '../../src/distro/family.ts'
import { findKernels } from '../../src/distro/kernels.ts'
import { sketchIndex } from '../support/tree.ts'

type Row = [id: string, version: string, part: Part, packages: string, at?: Partial<Circumstances>]

/** What a part is made of, by distribution and version. */
const TABLES: Record<string, Row[]> = {
  Debian: [
    ['debian', '12', 'kernel', 'linux-image-cloud-amd64'],
    ['debian', '12', 'kernel', 'linux-image-amd64', { kernel: 'generic' }],
    ['debian', '12', 'initrd', 'initramfs-tools'],
    ['debian', '12', 'init', 'systemd-sysv'],
    ['debian', '11', 'network', 'dbus'],
    ['debian', '12', 'network', 'systemd-resolved dbus'],
    ['debian', '13', 'network', 'systemd-resolved dbus'],
    ['debian', '', 'network', 'systemd-resolved dbus'],
    ['debian', '12', 'network', 'ifupdown isc-dhcp-client', { init: 'sysvinit' }],
    ['debian', '13', 'network', 'ifupdown dhcpcd-base', { init: 'runit' }],
    ['debian', '', 'network', 'ifupdown dhcpcd-base', { init: 'openrc' }],
    ['debian', '13', 'login', 'login util-linux'],
    ['debian', '12', 'sudo', 'sudo']
  ],
  Ubuntu: [
    ['ubuntu', '24.04', 'kernel', 'linux-image-virtual initramfs-tools'],
    ['ubuntu', '24.04', 'kernel', 'linux-image-generic initramfs-tools', { kernel: 'generic' }],
    ['ubuntu', '25.10', 'initrd', 'initramfs-tools'],
    ['ubuntu', '22.04', 'network', 'dbus'],
    ['ubuntu', '24.04', 'network', 'systemd-resolved dbus'],
    ['ubuntu', '24.04', 'init', 'systemd-sysv']
  ],
  Kali: [
    ['kali', '2026.3', 'kernel', 'linux-image-cloud-amd64'],
    ['kali', '2026.3', 'network', 'systemd-resolved dbus'],
    ['kali', '2026.3', 'init', 'systemd-sysv']
  ],
  Devuan: [
    ['devuan', '5', 'init', 'sysvinit-core', { init: 'sysvinit' }],
    ['devuan', '5', 'network', 'ifupdown isc-dhcp-client', { init: 'sysvinit' }]
  ],
  Alpine: [
    ['alpine', '3.20.3', 'kernel', 'linux-virt e2fsprogs'],
    ['alpine', '3.20.3', 'kernel', 'linux-lts linux-firmware-none e2fsprogs', { kernel: 'generic' }],
    ['alpine', '3.20.3', 'initrd', 'mkinitfs'],
    ['alpine', '3.20.3', 'init', 'openrc busybox-openrc busybox-mdev-openrc', { init: 'openrc' }],
    ['alpine', '3.16.9', 'init', 'openrc busybox-initscripts', { init: 'openrc' }],
    ['alpine', '3.20.3', 'sudo', 'doas']
  ],
  Fedora: [
    ['fedora', '42', 'kernel', 'kernel-core dracut kmod e2fsprogs'],
    ['fedora', '42', 'kernel', 'kernel dracut kmod e2fsprogs', { kernel: 'generic' }],
    ['fedora', '42', 'init', 'systemd systemd-udev'],
    ['fedora', '42', 'network', 'systemd-networkd systemd-resolved'],
    ['centos', '9', 'network', 'NetworkManager'],
    ['rocky', '9.4', 'network', 'NetworkManager'],
    ['almalinux', '9.4', 'login', 'util-linux passwd'],
    ['almalinux', '10.0', 'login', 'util-linux'],
    ['fedora', '42', 'initrd', 'dracut kmod e2fsprogs']
  ],
  Arch: [
    ['arch', '', 'kernel', 'linux mkinitcpio'],
    ['arch', '', 'kernel', 'linux mkinitcpio', { kernel: 'generic' }],
    ['arch', '', 'init', 'systemd systemd-sysvcompat'],
    ['arch', '', 'network', 'systemd']
  ],
  openSUSE: [
    ['opensuse-leap', '15.6', 'kernel', 'kernel-default-base dracut kmod e2fsprogs'],
    [
      'opensuse-tumbleweed',
      '20261120',
      'kernel',
      'kernel-default dracut kmod e2fsprogs',
      { kernel: 'generic' }
    ],
    ['opensuse-leap', '15.6', 'init', 'systemd udev'],
    ['opensuse-leap', '15.6', 'network', 'systemd-network']
  ]
}

const family = (id: string) => {
  const found = familyOf({ id, like: [], version: '', name: '' })
  if (found === null) throw new Error(`No family of ${id}`)
  return found
}

describe.each(Object.entries(TABLES))('%s', (name, rows) => {
  test.each(rows)('%s %s: %s is %s %j', (id, version, part, packages, at = {}) => {
    const known = family(id)
    expect(known.name).toBe(name)
    expect(
      packagesFor(known, part, { id, version, kernel: 'cloud', init: known.init, ...at }).join(' ')
    ).toBe(packages)
  })
})

test('each family has a table, and its kernels and initrds are found under its names', () => {
  expect(Object.keys(TABLES)).toEqual(FAMILIES.map(({ name }) => name))
})

test.each([
  ['Debian', 'vmlinuz-6.1.0-9-amd64', 'initrd.img-6.1.0-9-amd64', '6.1.0-9-amd64'],
  ['Alpine', 'vmlinuz-virt', 'initramfs-virt', '6.6.1-0-virt'],
  [
    'Fedora',
    'vmlinuz-6.11.4-301.fc41.x86_64',
    'initramfs-6.11.4-301.fc41.x86_64.img',
    '6.11.4-301.fc41.x86_64'
  ],
  ['Arch', 'vmlinuz-linux', 'initramfs-linux.img', '6.12.1-arch1-linux'],
  ['openSUSE', 'vmlinuz-6.4.0-1-default', 'initrd-6.4.0-1-default', '6.4.0-1-default']
])('%s: %s belongs to %s', (name, kernel, initrd, release) => {
  const known = FAMILIES.find(candidate => candidate.name === name)
  const version = known?.kernelNames.map(shape => shape.exec(kernel)?.[1]).find(Boolean) ?? ''
  expect(known?.initrdNames(version)).toContain(initrd)
  const index = sketchIndex({
    [`boot/${kernel}`]: 1,
    [`boot/${initrd}`]: 1,
    [`usr/lib/modules/${release}`]: null
  })
  expect(findKernels(index)).toEqual([
    { path: `boot/${kernel}`, version: /^\d/.test(version) ? version : release, initrd: `boot/${initrd}` }
  ])
})

test.each(FAMILIES.map(known => [known.name, known] as const))(
  '%s: its commands are shell, on one line, and name only packages',
  (_, known) => {
    for (const command of [known.install('a b'), known.prepare ?? ':', known.makeInitrds]) {
      expect(command).not.toContain('\n')
      expect(spawnSync('sh', ['-n', '-c', command], { encoding: 'utf8' }).stderr).toBe('')
    }
    for (const part of PARTS) {
      expect(known.packages[part].length).toBeGreaterThan(0)
      for (const { name } of known.packages[part]) expect(name).toMatch(/^[A-Za-z0-9][\w.+-]*$/)
    }
  }
)

test('an initrd made by hand is generic: no autodetection, the drivers of every machine', () => {
  for (const known of FAMILIES.filter(({ initrdsByHand }) => initrdsByHand)) {
    expect(known.makeInitrds).toMatch(/--no-hostonly|-S autodetect/)
    if (known.makeInitrds.includes('dracut')) {
      // The kernel's package calls dracut too, and before.
      const [first, second, third] = installCommands(known, ['kernel'], ['a', 'b'])
      expect(first).toContain('hostonly="no"')
      expect([second, third]).toEqual([known.install('a b'), known.makeInitrds])
      for (const driver of ['virtio_blk', 'ahci', 'nvme', 'usb_storage'])
        expect(known.makeInitrds).toContain(driver)
    }
  }
})

test('what has no kernel and no initrd in it makes none', () => {
  for (const known of FAMILIES)
    expect(installCommands(known, ['init', 'sudo'], ['a'])).toEqual([known.install('a')])
})

test('the way to a generic dracut can be gone by a shell', () => {
  const folder = mkdtempSync(join(tmpdir(), 'dracut-'))
  try {
    const command = GENERIC_DRACUT.replaceAll('/etc/', `${folder}/etc/`)
    execFileSync('sh', ['-eu', '-c', command])
    expect(readFileSync(join(folder, 'etc/dracut.conf.d/90-generic.conf'), 'utf8')).toBe('hostonly="no"\n')
  } finally {
    rmSync(folder, { recursive: true })
  }
})
