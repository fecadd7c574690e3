import { dracut, type Family, GENERIC_DRACUT } from '../family.ts'

/** IDs of those that follow Red Hat Enterprise Linux: they have no systemd-networkd. */
const ENTERPRISE = ['rhel', 'centos', 'rocky', 'almalinux', 'ol']

export const fedora: Family = {
  name: 'Fedora',
  ids: ['fedora', ...ENTERPRISE],
  init: 'systemd',
  manager: 'usr/bin/dnf',
  packages: {
    kernel: [
      { name: 'kernel-core', kernel: 'cloud' },
      { name: 'kernel', kernel: 'generic' },
      { name: 'dracut' },
      { name: 'kmod' },
      { name: 'e2fsprogs' }
    ],
    initrd: [{ name: 'dracut' }, { name: 'kmod' }, { name: 'e2fsprogs' }],
    init: [{ name: 'systemd' }, { name: 'systemd-udev' }],
    network: [
      { name: 'systemd-networkd', ids: ['fedora'] },
      { name: 'systemd-resolved', ids: ['fedora'] },
      { name: 'NetworkManager', ids: ENTERPRISE }
    ],
    login: [{ name: 'util-linux' }, { name: 'passwd', ids: ENTERPRISE, until: '10' }],
    sudo: [{ name: 'sudo' }],
    ssh: [{ name: 'openssh-server' }]
  },
  install: packages => `dnf install -y --setopt=install_weak_deps=False ${packages}`,
  prepare: GENERIC_DRACUT,
  makeInitrds: dracut('/boot/initramfs-$version.img'),
  // Installing a kernel in a container makes none, or one below /boot/MACHINE-ID.
  initrdsByHand: true,
  kernelNames: [/^vmlinuz-(\d.*)$/],
  initrdNames: version => [`initramfs-${version}.img`]
}
