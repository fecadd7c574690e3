import { type Family, forEachKernel } from '../family.ts'

export const arch: Family = {
  name: 'Arch',
  ids: ['arch'],
  init: 'systemd',
  manager: 'usr/bin/pacman',
  packages: {
    // One kernel for all: there is no smaller one.
    kernel: [{ name: 'linux' }, { name: 'mkinitcpio' }],
    initrd: [{ name: 'mkinitcpio' }],
    init: [{ name: 'systemd' }, { name: 'systemd-sysvcompat' }],
    network: [{ name: 'systemd' }],
    login: [{ name: 'util-linux' }, { name: 'shadow' }],
    sudo: [{ name: 'sudo' }],
    ssh: [{ name: 'openssh' }]
  },
  // Arch knows no partial upgrade: what is new may need newer versions of what is there.
  install: packages => `pacman -Syu --noconfirm --needed ${packages}`,
  prepare: null,
  // The hook autodetect would leave out all that the build host does not have.
  makeInitrds: forEachKernel(
    'name="$(cat "/lib/modules/$version/pkgbase")"; mkinitcpio -S autodetect -k "$version" -g "/boot/initramfs-$name.img"'
  ),
  initrdsByHand: true,
  kernelNames: [/^vmlinuz-(linux.*)$/],
  initrdNames: name => [`initramfs-${name}.img`]
}
