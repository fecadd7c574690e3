import { dracut, type Family, GENERIC_DRACUT } from '../family.ts'

export const opensuse: Family = {
  name: 'openSUSE',
  ids: ['opensuse', 'opensuse-leap', 'opensuse-tumbleweed', 'suse', 'sles'],
  init: 'systemd',
  manager: 'usr/bin/zypper',
  packages: {
    kernel: [
      { name: 'kernel-default-base', kernel: 'cloud' },
      { name: 'kernel-default', kernel: 'generic' },
      { name: 'dracut' },
      { name: 'kmod' },
      { name: 'e2fsprogs' }
    ],
    initrd: [{ name: 'dracut' }, { name: 'kmod' }, { name: 'e2fsprogs' }],
    init: [{ name: 'systemd' }, { name: 'udev' }],
    // systemd-networkd and -resolved.
    network: [{ name: 'systemd-network' }],
    login: [{ name: 'util-linux' }, { name: 'util-linux-systemd' }, { name: 'shadow' }],
    sudo: [{ name: 'sudo' }],
    ssh: [{ name: 'openssh' }]
  },
  install: packages => `zypper --non-interactive install --no-recommends ${packages}`,
  prepare: GENERIC_DRACUT,
  makeInitrds: dracut('/boot/initrd-$version'),
  initrdsByHand: true,
  kernelNames: [/^vmlinuz-(\d.*)$/],
  initrdNames: version => [`initrd-${version}`, `initrd-${version}.img`]
}
