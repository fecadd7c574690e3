import { type Family, forEachKernel } from '../family.ts'

/** Debian and what is built like it: apt, initramfs-tools (whose initrds are generic by default), systemd. */
const apt: Pick<
  Family,
  'manager' | 'install' | 'prepare' | 'makeInitrds' | 'initrdsByHand' | 'kernelNames' | 'initrdNames'
> = {
  manager: 'usr/bin/apt-get',
  install: packages =>
    `apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ${packages}`,
  prepare: null,
  makeInitrds: forEachKernel('[ -e "/boot/initrd.img-$version" ] || update-initramfs -c -k "$version"'),
  initrdsByHand: false,
  kernelNames: [/^vmlinuz-(\d.*)$/],
  initrdNames: version => [`initrd.img-${version}`]
}

const login = [{ name: 'login' }, { name: 'util-linux' }]

export const debian: Family = {
  ...apt,
  name: 'Debian',
  ids: ['debian'],
  init: 'systemd',
  packages: {
    kernel: [
      { name: 'linux-image-cloud-amd64', kernel: 'cloud' },
      { name: 'linux-image-amd64', kernel: 'generic' }
    ],
    initrd: [{ name: 'initramfs-tools' }],
    init: [{ name: 'systemd-sysv' }],
    network: [
      // Part of the package systemd before.
      { name: 'systemd-resolved', since: '12', init: 'systemd' },
      { name: 'dbus', init: 'systemd' },
      { name: 'ifupdown', withoutSystemd: true },
      { name: 'isc-dhcp-client', until: '13', withoutSystemd: true },
      { name: 'dhcpcd-base', since: '13', withoutSystemd: true }
    ],
    login,
    sudo: [{ name: 'sudo' }],
    ssh: [{ name: 'openssh-server' }]
  }
}

/** Kali rolls; its archive is Debian's testing with kernels of its own. */
export const kali: Family = { ...debian, name: 'Kali', ids: ['kali'] }

/** Devuan has Debian's packages but for systemd. */
export const devuan: Family = {
  ...debian,
  name: 'Devuan',
  ids: ['devuan'],
  init: 'sysvinit',
  packages: { ...debian.packages, init: [{ name: 'sysvinit-core' }] }
}

export const ubuntu: Family = {
  ...apt,
  name: 'Ubuntu',
  ids: ['ubuntu'],
  init: 'systemd',
  packages: {
    kernel: [
      { name: 'linux-image-virtual', kernel: 'cloud' },
      { name: 'linux-image-generic', kernel: 'generic' },
      // Only recommended by Ubuntu's kernels: without it there would be no initrd.
      { name: 'initramfs-tools' }
    ],
    initrd: [{ name: 'initramfs-tools' }],
    init: [{ name: 'systemd-sysv' }],
    network: [
      { name: 'systemd-resolved', since: '22.10', init: 'systemd' },
      { name: 'dbus', init: 'systemd' },
      { name: 'ifupdown', withoutSystemd: true },
      { name: 'isc-dhcp-client', withoutSystemd: true }
    ],
    login,
    sudo: [{ name: 'sudo' }],
    ssh: [{ name: 'openssh-server' }]
  }
}
