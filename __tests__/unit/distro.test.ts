import { familyOf } from '../../src/distro/families.ts'
import { findInit } from '../../src/distro/init.ts'
import { findKernels } from '../../src/distro/kernels.ts'
import { parseOsRelease } from '../../src/distro/os-release.ts'
import { sketchIndex, type TreeSketch } from '../support/tree.ts'

describe('kernels', () => {
  const cases: [
    layout: string,
    tree: TreeSketch,
    found: [path: string, version: string, initrd: string | null][]
  ][] = [
    [
      'Debian with links at the root',
      {
        'boot/vmlinuz-6.1.0-28-amd64': 9,
        'boot/initrd.img-6.1.0-28-amd64': 9,
        vmlinuz: '-> boot/vmlinuz-6.1.0-28-amd64',
        'initrd.img': '-> boot/initrd.img-6.1.0-28-amd64'
      },
      [['boot/vmlinuz-6.1.0-28-amd64', '6.1.0-28-amd64', 'boot/initrd.img-6.1.0-28-amd64']]
    ],
    [
      'Ubuntu with links in /boot, two kernels, .old links',
      {
        'boot/vmlinuz': '-> vmlinuz-6.8.0-9-generic',
        'boot/vmlinuz.old': '-> vmlinuz-6.8.0-10-generic',
        'boot/initrd.img': '-> initrd.img-6.8.0-9-generic',
        'boot/vmlinuz-6.8.0-9-generic': 9,
        'boot/initrd.img-6.8.0-9-generic': 9,
        'boot/vmlinuz-6.8.0-10-generic': 9,
        'boot/initrd.img-6.8.0-10-generic': 9
      },
      [
        ['boot/vmlinuz-6.8.0-10-generic', '6.8.0-10-generic', 'boot/initrd.img-6.8.0-10-generic'],
        ['boot/vmlinuz-6.8.0-9-generic', '6.8.0-9-generic', 'boot/initrd.img-6.8.0-9-generic']
      ]
    ],
    [
      'Alpine by flavour, release from its modules',
      {
        'boot/vmlinuz-virt': 9,
        'boot/initramfs-virt': 9,
        'lib/modules/6.6.58-0-virt/modules.dep': 1,
        'boot/System.map-virt': 1
      },
      [['boot/vmlinuz-virt', '6.6.58-0-virt', 'boot/initramfs-virt']]
    ],
    [
      'Alpine with virt and lts',
      {
        'boot/vmlinuz-virt': 9,
        'boot/vmlinuz-lts': 9,
        'boot/initramfs-lts': 9,
        'lib/modules/6.6.58-0-virt': null,
        'lib/modules/6.6.60-0-lts': null
      },
      [
        ['boot/vmlinuz-lts', '6.6.60-0-lts', 'boot/initramfs-lts'],
        ['boot/vmlinuz-virt', '6.6.58-0-virt', null]
      ]
    ],
    [
      'Fedora with a rescue kernel',
      {
        'boot/vmlinuz-6.11.4-301.fc41.x86_64': 9,
        'boot/.vmlinuz-6.11.4-301.fc41.x86_64.hmac': 1,
        'boot/initramfs-6.11.4-301.fc41.x86_64.img': 9,
        'boot/vmlinuz-0-rescue-0123456789abcdef0123456789abcdef': 9,
        'usr/lib/modules/6.11.4-301.fc41.x86_64/vmlinuz': 9
      },
      [
        [
          'boot/vmlinuz-6.11.4-301.fc41.x86_64',
          '6.11.4-301.fc41.x86_64',
          'boot/initramfs-6.11.4-301.fc41.x86_64.img'
        ]
      ]
    ],
    [
      'Boot Loader Specification',
      {
        'boot/0123456789abcdef0123456789abcdef/6.11.4/linux': 9,
        'boot/0123456789abcdef0123456789abcdef/6.11.4/initrd': 9
      },
      [
        [
          'boot/0123456789abcdef0123456789abcdef/6.11.4/linux',
          '6.11.4',
          'boot/0123456789abcdef0123456789abcdef/6.11.4/initrd'
        ]
      ]
    ],
    [
      'the same with the initrd in /boot, made by hand',
      { 'boot/0123456789abcdef0123456789abcdef/6.11.4/linux': 9, 'boot/initramfs-6.11.4.img': 9 },
      [['boot/0123456789abcdef0123456789abcdef/6.11.4/linux', '6.11.4', 'boot/initramfs-6.11.4.img']]
    ],
    [
      'only below /usr/lib/modules, usr-merged',
      { lib: '-> usr/lib', 'usr/lib/modules/6.11.4/vmlinuz': 9, 'boot/initramfs-6.11.4.img': 9 },
      [['usr/lib/modules/6.11.4/vmlinuz', '6.11.4', 'boot/initramfs-6.11.4.img']]
    ],
    [
      'only below /lib/modules',
      { 'lib/modules/5.15.1/vmlinuz': 9 },
      [['lib/modules/5.15.1/vmlinuz', '5.15.1', null]]
    ],
    [
      'Arch',
      {
        'boot/vmlinuz-linux': 9,
        'boot/initramfs-linux.img': 9,
        'boot/initramfs-linux-fallback.img': 9,
        'usr/lib/modules/6.12.1-arch1-1/pkgbase': 1
      },
      [['boot/vmlinuz-linux', '6.12.1-arch1-1', 'boot/initramfs-linux.img']]
    ],
    [
      'openSUSE',
      {
        'boot/vmlinuz-6.4.0-default': 9,
        'boot/initrd-6.4.0-default': 9,
        'boot/vmlinuz': '-> vmlinuz-6.4.0-default'
      },
      [['boot/vmlinuz-6.4.0-default', '6.4.0-default', 'boot/initrd-6.4.0-default']]
    ],
    [
      'links that are absolute, climbing or lead nowhere',
      {
        'boot/vmlinuz-1.0': '-> /opt/kernel',
        'opt/kernel': 9,
        'boot/vmlinuz-2.0': '-> ../../../opt/gone',
        'boot/initrd.img-1.0': '-> /gone'
      },
      [['opt/kernel', '1.0', null]]
    ],
    ['nothing', { 'boot/grub/grub.cfg': 1, 'boot/config-6.1.0': 1 }, []],
    ['a folder of the name', { 'boot/vmlinuz-6.1.0': null }, []]
  ]
  test.each(cases)('%s', (_, tree, found) => {
    expect(findKernels(sketchIndex(tree))).toEqual(
      found.map(([path, version, initrd]) => ({ path, version, initrd }))
    )
  })
})

describe('init', () => {
  test.each([
    [
      'systemd through links',
      { 'sbin/init': '-> /lib/systemd/systemd', 'lib/systemd/systemd': 9 },
      'systemd',
      'lib/systemd/systemd'
    ],
    [
      'systemd, usr-merged',
      { sbin: '-> usr/sbin', 'usr/sbin/init': '-> ../lib/systemd/systemd', 'usr/lib/systemd/systemd': 9 },
      'systemd',
      'usr/lib/systemd/systemd'
    ],
    ['BusyBox', { 'sbin/init': '-> /bin/busybox', 'bin/busybox': 9 }, 'busybox', 'bin/busybox'],
    [
      'OpenRC under BusyBox',
      { 'sbin/init': '-> /bin/busybox', 'bin/busybox': 9, 'sbin/openrc': 9 },
      'openrc',
      'bin/busybox'
    ],
    ['openrc-init', { 'sbin/init': '-> openrc-init', 'sbin/openrc-init': 9 }, 'openrc', 'sbin/openrc-init'],
    ['sysvinit', { 'sbin/init': 9, 'sbin/telinit': '-> init', 'etc/inittab': 'x' }, 'sysvinit', 'sbin/init'],
    ['runit', { 'sbin/init': '-> runit-init', 'sbin/runit-init': 9 }, 'runit', 'sbin/runit-init'],
    ['a script', { 'sbin/init': '#!/bin/sh\n' }, 'other', 'sbin/init'],
    ['/etc/init', { 'etc/init': 9 }, 'other', 'etc/init']
  ])('%s', (_, tree, system, program) => {
    expect(findInit(sketchIndex(tree as TreeSketch))).toMatchObject({ system, program })
  })

  test.each([
    ['none', { 'bin/sh': 9 }],
    ['a dangling link', { 'sbin/init': '-> /lib/systemd/systemd' }],
    ['a folder', { 'sbin/init': null }]
  ])('%s', (_, tree) => {
    expect(findInit(sketchIndex(tree as TreeSketch))).toBeNull()
  })
})

describe('os-release', () => {
  test('quotes and escapes', () => {
    const text = `# comment\nNAME='Debian GNU/Linux'\nID=Debian\nID_LIKE="a  b"\nVERSION_ID="12"\nPRETTY_NAME="Say \\"hi\\" \\$x"\nevil=$(rm)\n`
    expect(parseOsRelease(text)).toEqual({
      id: 'debian',
      like: ['a', 'b'],
      version: '12',
      name: 'Say "hi" $x'
    })
  })

  test.each([
    ['ubuntu', 'debian', 'Ubuntu'],
    ['linuxmint', 'ubuntu debian', 'Ubuntu'],
    ['raspbian', 'debian', 'Debian'],
    ['almalinux', 'rhel centos fedora', 'Fedora'],
    ['opensuse-leap', 'suse opensuse', 'openSUSE'],
    ['alpine', '', 'Alpine'],
    ['manjaro', 'arch', 'Arch']
  ])('%s belongs to a family', (id, like, family) => {
    expect(familyOf(parseOsRelease(`ID=${id}\nID_LIKE="${like}"`))?.name).toBe(family)
  })

  test('an unknown one to none', () => {
    expect(familyOf(parseOsRelease('ID=nixos'))).toBeNull()
  })
})
