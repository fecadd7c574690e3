import { type Family, forEachKernel } from '../family.ts'

export const alpine: Family = {
  name: 'Alpine',
  ids: ['alpine'],
  init: 'openrc',
  manager: 'sbin/apk',
  packages: {
    kernel: [
      { name: 'linux-virt', kernel: 'cloud' },
      { name: 'linux-lts', kernel: 'generic' },
      // Without it linux-lts brings the firmware of every device, half a gigabyte.
      { name: 'linux-firmware-none', kernel: 'generic' },
      { name: 'e2fsprogs' }
    ],
    initrd: [{ name: 'mkinitfs' }],
    init: [
      { name: 'openrc' },
      { name: 'busybox-openrc', since: '3.17' },
      { name: 'busybox-mdev-openrc', since: '3.17' },
      { name: 'busybox-initscripts', until: '3.17' }
    ],
    network: [{ name: 'busybox' }, { name: 'openrc', init: 'openrc' }],
    login: [{ name: 'busybox' }],
    sudo: [{ name: 'doas' }],
    ssh: [{ name: 'openssh' }]
  },
  install: packages => `apk add --no-cache ${packages}`,
  prepare: null,
  // Its default features hold virtio, AHCI (ata), NVMe and USB storage.
  makeInitrds: forEachKernel(
    'flavour="$(echo "$version" | sed "s/.*-//")"; [ -e "/boot/initramfs-$flavour" ] || mkinitfs -o "/boot/initramfs-$flavour" "$version"'
  ),
  initrdsByHand: false,
  kernelNames: [/^vmlinuz-(.+)$/],
  initrdNames: flavour => [`initramfs-${flavour}`]
}
