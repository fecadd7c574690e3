import type { Distribution } from './os-release.ts'

/** What a distribution family needs in a Dockerfile to become a machine. */
export type Family = Readonly<{
  name: string
  /** Values of ID and ID_LIKE in os-release(5) that belong to it. */
  ids: readonly string[]
  /** The Dockerfile instruction that adds a kernel and its initrd. */
  kernelLine: string
  /** The Dockerfile instruction that adds an init system. */
  initLine: string
  /** The Dockerfile instruction that adds an SSH server. */
  sshLine: string
  /** The Dockerfile instruction that adds a program to become root with. */
  sudoLine: string
}>

const apt = (packages: string): string =>
  `RUN apt-get update && apt-get install -y --no-install-recommends ${packages}`

/** Derived distributions stand before those they name in ID_LIKE. */
const FAMILIES: readonly Family[] = [
  {
    name: 'Ubuntu',
    ids: ['ubuntu'],
    // Ubuntu's kernel only recommends initramfs-tools: without recommends there is no initrd unless it is named.
    kernelLine: apt('linux-image-virtual initramfs-tools'),
    initLine: apt('systemd-sysv'),
    sshLine: apt('openssh-server'),
    sudoLine: apt('sudo')
  },
  {
    name: 'Kali',
    ids: ['kali'],
    kernelLine: apt('linux-image-amd64'),
    initLine: apt('systemd-sysv'),
    sshLine: apt('openssh-server'),
    sudoLine: apt('sudo')
  },
  {
    name: 'Debian',
    ids: ['debian'],
    kernelLine: apt('linux-image-amd64'),
    initLine: apt('systemd-sysv'),
    sshLine: apt('openssh-server'),
    sudoLine: apt('sudo')
  },
  {
    name: 'Alpine',
    ids: ['alpine'],
    kernelLine: 'RUN apk add --no-cache linux-virt',
    initLine: 'RUN apk add --no-cache alpine-base',
    sshLine: 'RUN apk add --no-cache openssh',
    sudoLine: 'RUN apk add --no-cache doas'
  },
  {
    name: 'Fedora',
    ids: ['fedora', 'rhel', 'centos', 'rocky', 'almalinux'],
    kernelLine:
      'RUN dnf install -y kernel-core dracut && dracut --force --no-hostonly --add-drivers \'virtio_blk virtio_pci virtio_scsi ahci nvme ext4\' --kver "$(ls /usr/lib/modules)" "/boot/initramfs-$(ls /usr/lib/modules).img"',
    initLine: 'RUN dnf install -y systemd',
    sshLine: 'RUN dnf install -y openssh-server',
    sudoLine: 'RUN dnf install -y sudo'
  },
  {
    name: 'Arch',
    ids: ['arch'],
    kernelLine: 'RUN pacman -Sy --noconfirm linux mkinitcpio && mkinitcpio -P -S autodetect',
    initLine: 'RUN pacman -Sy --noconfirm systemd-sysvcompat',
    sshLine: 'RUN pacman -Sy --noconfirm openssh',
    sudoLine: 'RUN pacman -Sy --noconfirm sudo'
  },
  {
    name: 'openSUSE',
    ids: ['opensuse', 'opensuse-leap', 'opensuse-tumbleweed', 'suse', 'sles'],
    kernelLine:
      'RUN zypper --non-interactive install kernel-default-base dracut && dracut --force --no-hostonly --regenerate-all',
    initLine: 'RUN zypper --non-interactive install systemd-sysvinit',
    sshLine: 'RUN zypper --non-interactive install openssh',
    sudoLine: 'RUN zypper --non-interactive install sudo'
  }
]

/** The family that a distribution belongs to, by its own id first, then by those that it descends from; null if unknown. */
export function familyOf(distribution: Distribution): Family | null {
  for (const id of [distribution.id, ...distribution.like]) {
    const family = FAMILIES.find(candidate => candidate.ids.includes(id))
    if (family) return family
  }
  return null
}
