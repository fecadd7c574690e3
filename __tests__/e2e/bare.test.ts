import { useBench } from '../support/e2e.ts'
import { type BaseImage, ensureBaseImage } from '../support/images.ts'

// Dockerfiles that never heard of disks.
const bench = useBench()

/** For the runs after the first: an artifact's name is taken only once. */
const QUIET = { 'upload-artifact': 'false' }

test.each<[BaseImage, string, string, Record<string, string>]>([
  ['debian:bookworm', 'Debian GNU/Linux 12 (bookworm)', 'systemd-resolved dbus', {}],
  ['debian:trixie', 'Debian GNU/Linux 13 (trixie)', 'systemd-resolved dbus', QUIET],
  ['debian:bullseye', 'Debian GNU/Linux 11 (bullseye)', 'dbus', QUIET]
])(
  'FROM %s alone boots to a login prompt',
  async (base, distribution, network, inputs) => {
    await ensureBaseImage(base)
    const run = await bench.succeed({ checkout: bench.context(`FROM ${base}\n`), inputs })
    expect(run.outputs).toMatchObject({
      'boot-result': 'passed',
      distribution,
      'kernel-version': expect.stringMatching(/^\d+\.\d+\.\d+.*-cloud-amd64$/)
    })
    expect(run.rawLog).toMatch(/^The image boots: disks login: ?.* after \d+\.\d s under /m)
    // The plan: what was found, what is added and why.
    const plan = run.log.split('\n').filter(line => /^(Kernel|Init|DHCP client|To be added)/.test(line))
    expect(plan.slice(0, 6)).toEqual([
      'Kernel: none',
      'Init: none',
      'DHCP client: none',
      'To be added, kernel: linux-image-cloud-amd64. No kernel in the image: looked for /boot/vmlinuz-*, /boot/*/*/linux, /vmlinuz, /usr/lib/modules/*/vmlinuz; /boot is empty or absent.',
      'To be added, init: systemd-sysv. No init in the image: looked for /sbin/init, /etc/init, /bin/init.',
      `To be added, network: ${network}. No DHCP client that starts under systemd.`
    ])
    expect(run.summary).toContain(`linux-image-cloud-amd64 systemd-sysv ${network}`)
  },
  600_000
)

describe('what cannot be completed is refused, word for word', () => {
  const QUICK = { 'boot-test': 'false', 'upload-artifact': 'false' }
  const NOTHING = [
    'No kernel in the image: looked for /boot/vmlinuz-*, /boot/*/*/linux, /vmlinuz, /usr/lib/modules/*/vmlinuz; /boot is empty or absent.',
    'No init in the image: looked for /sbin/init, /etc/init, /bin/init.'
  ]
  const WAYS_OUT = [
    'Either build on a distribution that can be completed (Debian, Ubuntu, Kali, Devuan, Alpine, Fedora, Arch, openSUSE), such as',
    'FROM debian:bookworm',
    'COPY --from=yours /app /app',
    'with your ENTRYPOINT and entrypoint-service: true; or put a kernel with its initrd and an init system into the image in the Dockerfile.'
  ]

  test.each([
    [
      'scratch',
      'FROM scratch\nCOPY Dockerfile /hello\n',
      'They cannot be added: the image is an unknown distribution, with hello at its root.'
    ],
    [
      'distroless',
      'FROM debian:bookworm AS build\nFROM scratch\nCOPY --from=build /usr/lib/os-release /usr/lib/os-release\nCOPY --from=build /bin/cat /app/server\n',
      'They cannot be added: the image is Debian GNU/Linux 12 (bookworm) without /usr/bin/apt-get or /bin/sh, with app, usr at its root.'
    ]
  ])('%s', async (_, dockerfile, words) => {
    await ensureBaseImage('debian:bookworm')
    const { title, message } = await bench.fail({ checkout: bench.context(dockerfile), inputs: QUICK })
    expect(title).toBe('Not a bootable system')
    expect(message.split('\n')).toEqual([...NOTHING, words, ...WAYS_OUT])
  })

  test('an arm64 tree', async () => {
    await ensureBaseImage('debian:bookworm')
    // The machine stands in two bytes of each program's header (e_machine, 183 is AArch64).
    const dockerfile =
      "FROM debian:bookworm AS build\nRUN cp /bin/cat /foreign && printf '\\267\\000' | dd of=/foreign bs=1 seek=18 conv=notrunc\nFROM debian:bookworm\nCOPY --from=build /foreign /sbin/init\n"
    const { title, message } = await bench.fail({ checkout: bench.context(dockerfile), inputs: QUICK })
    expect(title).toBe('Wrong architecture')
    expect(message).toBe(
      'The image is built for arm64 (/usr/sbin/init), but the disk is for an x86-64 machine. Build with --platform linux/amd64 or use an amd64 base image.'
    )
  })
})
