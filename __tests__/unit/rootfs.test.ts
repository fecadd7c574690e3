import type { ImageConfig } from '../../src/container.ts'
import { planAddition, requireSystem, surveySystem, type Wishes } from '../../src/rootfs.ts'
import { layerBuild, layerDockerfile } from '../../src/system-layer.ts'
import { elfHeader, plainConfig, sketchContainer, type TreeSketch } from '../support/tree.ts'

const WISHES: Wishes = {
  filesystem: 'ext4',
  network: 'dhcp',
  user: null,
  installSystem: 'auto',
  kernel: 'cloud'
}

const BOOKWORM = {
  'etc/os-release': 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
  'bin/sh': 9,
  'usr/bin/apt-get': 9,
  'sbin/agetty': 9,
  'bin/login': 9
}
const KERNEL = { 'boot/vmlinuz-6.1.0-9-amd64': 9, 'boot/initrd.img-6.1.0-9-amd64': 9 }
const SYSTEMD = {
  'sbin/init': '-> /lib/systemd/systemd',
  'lib/systemd/systemd': 9,
  'lib/systemd/system/systemd-networkd.service': 9
}

const survey = (tree: TreeSketch, wishes: Partial<Wishes> = {}, config: Partial<ImageConfig> = {}) =>
  surveySystem(sketchContainer(tree), { ...plainConfig, ...config }, { ...WISHES, ...wishes })

async function plan(tree: TreeSketch, wishes: Partial<Wishes> = {}, onBuild = false) {
  return planAddition(await survey(tree, wishes), { ...WISHES, ...wishes }, onBuild)
}

const partsOf = async (tree: TreeSketch, wishes: Partial<Wishes> = {}): Promise<string[]> =>
  ((await plan(tree, wishes))?.parts ?? []).map(({ part, packages }) => `${part}: ${packages.join(' ')}`)

describe('what is added', () => {
  test('to a bare Debian: all of a machine', async () => {
    expect(await partsOf(BOOKWORM)).toEqual([
      'kernel: linux-image-cloud-amd64',
      'init: systemd-sysv',
      'network: systemd-resolved dbus'
    ])
    expect((await plan(BOOKWORM, { kernel: 'generic' }))?.commands).toEqual([
      'apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends linux-image-amd64 systemd-sysv systemd-resolved dbus',
      '[ -e /sbin/init ] || ln -s /usr/lib/systemd/systemd /sbin/init'
    ])
  })

  test("to the article's Debian: nothing", async () => {
    expect(await plan({ ...BOOKWORM, ...KERNEL, ...SYSTEMD })).toBeNull()
  })

  test("to the article's Alpine: nothing", async () => {
    const alpine = {
      'etc/os-release': 'ID=alpine\nVERSION_ID=3.20.3\n',
      'bin/busybox': 9,
      'bin/sh': '-> /bin/busybox',
      'sbin/init': '-> /bin/busybox',
      'sbin/getty': '-> /bin/busybox',
      'bin/login': '-> /bin/busybox',
      'sbin/udhcpc': '-> /bin/busybox',
      'sbin/apk': 9,
      'sbin/openrc': 9,
      'sbin/ifup': '-> /bin/busybox',
      'etc/init.d/networking': 9,
      'etc/inittab': '::sysinit:/sbin/openrc sysinit\n',
      'boot/vmlinuz-virt': 9,
      'boot/initramfs-virt': 9
    }
    expect(await plan(alpine)).toBeNull()
    // As the container image has it: an inittab for OpenRC, without OpenRC.
    const { 'sbin/openrc': _, 'boot/vmlinuz-virt': __, ...bare } = alpine
    expect(await partsOf(bare)).toEqual([
      'kernel: linux-virt e2fsprogs',
      'init: openrc busybox-openrc busybox-mdev-openrc'
    ])
    // With a kernel put there, BusyBox init does without.
    const { 'sbin/openrc': ___, ...kernelOnly } = alpine
    expect(await plan(kernelOnly)).toBeNull()
  })

  test.each<[string, TreeSketch, Partial<Wishes>, string[]]>([
    ['a kernel alone', { ...BOOKWORM, ...SYSTEMD }, {}, ['kernel: linux-image-cloud-amd64']],
    [
      'an init alone',
      { ...BOOKWORM, ...KERNEL },
      {},
      ['init: systemd-sysv', 'network: systemd-resolved dbus']
    ],
    [
      'an initrd, for a kernel whose drivers are modules',
      {
        ...BOOKWORM,
        ...SYSTEMD,
        'boot/vmlinuz-6.1.0-9-amd64': 9,
        'lib/modules/6.1.0-9-amd64/modules.builtin': 'kernel/fs/nls/nls_base.ko\n'
      },
      {},
      ['initrd: initramfs-tools']
    ],
    [
      'no initrd for a kernel that has all built in',
      {
        ...BOOKWORM,
        ...SYSTEMD,
        'boot/vmlinuz-6.1.0-9-amd64': 9,
        'lib/modules/6.1.0-9-amd64/modules.builtin': 'kernel/fs/ext4.ko\nkernel/nvme.ko\n'
      },
      {},
      []
    ],
    [
      "another init's network client",
      { ...BOOKWORM, ...KERNEL, 'sbin/init': 9, 'etc/inittab': 'id:2:initdefault:\n' },
      {},
      ['network: ifupdown isc-dhcp-client']
    ],
    [
      'no network client where none is wanted',
      { ...BOOKWORM, ...KERNEL, 'sbin/init': 9, 'etc/inittab': 'id:2:initdefault:\n' },
      { network: 'none' },
      []
    ],
    [
      'what logs users in',
      { ...BOOKWORM, ...KERNEL, ...SYSTEMD, 'bin/login': null },
      {},
      ['login: login util-linux']
    ],
    ['sudo for a user', { ...BOOKWORM, ...KERNEL, ...SYSTEMD }, { user: 'admin' }, ['sudo: sudo']],
    [
      'everything where it is asked for',
      { ...BOOKWORM, ...KERNEL, ...SYSTEMD },
      { installSystem: 'always' },
      [
        'kernel: linux-image-cloud-amd64',
        'initrd: initramfs-tools',
        'init: systemd-sysv',
        'network: systemd-resolved dbus',
        'login: login util-linux'
      ]
    ]
  ])('%s', async (_, tree, wishes, parts) => {
    expect(await partsOf(tree, wishes)).toEqual(parts)
  })

  test('where the drivers are not generic by themselves, the initrd is made by hand', async () => {
    const fedora = { 'etc/os-release': 'ID=fedora\nVERSION_ID=42\n', 'bin/sh': 9, 'usr/bin/dnf': 9 }
    expect((await plan(fedora))?.commands).toEqual([
      expect.stringContaining('hostonly="no"'),
      'dnf install -y --setopt=install_weak_deps=False kernel-core dracut kmod e2fsprogs systemd systemd-udev systemd-networkd systemd-resolved util-linux',
      expect.stringContaining('dracut --force --no-hostonly'),
      expect.stringContaining('/sbin/init')
    ])
  })
})

const NO_KERNEL =
  'No kernel in the image: looked for /boot/vmlinuz-*, /boot/*/*/linux, /vmlinuz, /usr/lib/modules/*/vmlinuz; /boot is empty or absent.'
const NO_INIT = 'No init in the image: looked for /sbin/init, /etc/init, /bin/init.'
const WAYS_OUT = [
  'Either build on a distribution that can be completed (Debian, Ubuntu, Kali, Devuan, Alpine, Fedora, Arch, openSUSE), such as',
  'FROM debian:bookworm',
  'COPY --from=yours /app /app',
  'with your ENTRYPOINT and entrypoint-service: true; or put a kernel with its initrd and an init system into the image in the Dockerfile.'
]

describe('what is refused, word for word', () => {
  const { 'usr/bin/apt-get': _, 'bin/sh': __, ...DISTROLESS } = BOOKWORM
  test.each<[string, TreeSketch, Partial<Wishes>, boolean, string[]]>([
    [
      'scratch',
      { hello: 9 },
      {},
      false,
      [
        NO_KERNEL,
        NO_INIT,
        'They cannot be added: the image is an unknown distribution, with hello at its root.',
        ...WAYS_OUT
      ]
    ],
    [
      'distroless',
      DISTROLESS,
      {},
      false,
      [
        NO_KERNEL,
        NO_INIT,
        'They cannot be added: the image is Debian GNU/Linux 12 (bookworm) without /usr/bin/apt-get or /bin/sh, with bin, sbin at its root.',
        ...WAYS_OUT
      ]
    ],
    [
      'never',
      BOOKWORM,
      { installSystem: 'never' },
      false,
      [
        NO_KERNEL,
        NO_INIT,
        'The image is Debian GNU/Linux 12 (bookworm); set install-system to auto, or add to the Dockerfile:',
        'RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends linux-image-amd64',
        'RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends systemd-sysv'
      ]
    ],
    [
      'a kernel that needs an initrd',
      {
        ...BOOKWORM,
        ...SYSTEMD,
        'boot/vmlinuz-6.1.0-9-amd64': 9,
        'lib/modules/6.1.0-9-amd64/modules.builtin': 'kernel/fs/ext4.ko\n'
      },
      { installSystem: 'never' },
      false,
      [
        'The kernel 6.1.0-9-amd64 (/boot/vmlinuz-6.1.0-9-amd64) has no initrd, and no driver built in for any disk (virtio, sata, nvme, scsi).',
        'The image is Debian GNU/Linux 12 (bookworm); set install-system to auto, or add to the Dockerfile:',
        'RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends initramfs-tools && for modules in /lib/modules/*/modules.dep; do version="$(basename "$(dirname "$modules")")"; [ -e "/boot/initrd.img-$version" ] || update-initramfs -c -k "$version"; done'
      ]
    ],
    [
      'ONBUILD',
      { ...BOOKWORM, ...SYSTEMD },
      {},
      true,
      [
        NO_KERNEL,
        'It cannot be added, for the image has ONBUILD instructions, which would run once more.',
        'The image is Debian GNU/Linux 12 (bookworm); add to the Dockerfile:',
        'RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends linux-image-amd64'
      ]
    ]
  ])('%s', async (_name, tree, wishes, onBuild, lines) => {
    const wanted = { ...WISHES, ...wishes }
    const found = await survey(tree, wishes)
    const message = (): string => {
      try {
        planAddition(found, wanted, onBuild)
        return 'nothing refused'
      } catch (error) {
        return (error as Error).message
      }
    }
    expect(message().split('\n')).toEqual(lines)
  })

  test.each<[string, TreeSketch, Partial<ImageConfig>, string]>([
    ['by a program', { 'bin/sh': elfHeader(183).toString('latin1') }, {}, '(/bin/sh)'],
    ['by the init', { 'sbin/init': elfHeader(183).toString('latin1'), 'bin/sh': 9 }, {}, '(/sbin/init)'],
    ['by its configuration', { hello: 9 }, { architecture: 'arm64' }, "(by the image's configuration)"]
  ])('another architecture, %s', async (_name, tree, config, source) => {
    await expect(survey(tree, {}, config)).rejects.toThrow(
      `The image is built for arm64 ${source}, but the disk is for an x86-64 machine. Build with --platform linux/amd64 or use an amd64 base image.`
    )
  })
})

test('a tree that is complete is a system, though its network be missing and unknown', async () => {
  const tree = { ...KERNEL, 'sbin/init': 9 }
  expect(await plan(tree)).toBeNull()
  expect(requireSystem(await survey(tree))).toMatchObject({
    kernels: [{ version: '6.1.0-9-amd64' }],
    init: { path: '/sbin/init' }
  })
})

describe('the layer', () => {
  test('is a Dockerfile whose commands no shell of the image reads twice', () => {
    const text = layerDockerfile('docker-to-disk:0123', { commands: ['echo "$HOME" \'x\'', 'true'] })
    const [from, user, run] = text.split('\n')
    expect([from, user]).toEqual(['FROM docker-to-disk:0123', 'USER 0:0'])
    const argv = JSON.parse(run?.replace(/^RUN /, '') ?? '')
    expect(argv.slice(0, 2)).toEqual(['/bin/sh', '-c'])
    expect(argv[2].split('\n')).toEqual([
      'set -eu',
      'export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      'echo "$HOME" \'x\'',
      'true'
    ])
  })

  test("has of the user's build what belongs to network and cache, and no secret", () => {
    const source = {
      kind: 'build',
      build: {
        context: '/src',
        file: '/src/Dockerfile',
        target: 'x',
        buildArgs: ['HTTP_PROXY=http://p:1', 'no_proxy', 'TOKEN=1', 'MY_HTTP_PROXY=2'],
        buildContexts: ['a=b'],
        secrets: [{ id: 's', value: 'v' }],
        ssh: ['default'],
        labels: ['l=1'],
        addHosts: ['mirror:10.0.0.1'],
        cacheFrom: ['type=gha'],
        cacheTo: ['type=gha'],
        noCache: true,
        pull: true,
        network: 'host',
        builder: 'mine'
      }
    } as const
    expect(layerBuild({ source }, 'default')).toEqual({
      ...source.build,
      context: '-',
      file: null,
      target: null,
      buildArgs: ['HTTP_PROXY=http://p:1', 'no_proxy'],
      buildContexts: [],
      secrets: [],
      ssh: [],
      labels: [],
      cacheFrom: [],
      cacheTo: [],
      pull: false,
      builder: 'default'
    })
  })
})
