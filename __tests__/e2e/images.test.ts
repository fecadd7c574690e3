import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { bootImage, untangle } from '../support/boot.ts'
import { ALPINE, asRoot, inImage, sha256, useBench } from '../support/e2e.ts'
import { REPOSITORY, type RunResult } from '../support/runner.ts'

const bench = useBench('debian:bookworm', 'alpine:3.20')

const filesOf = (run: RunResult): string[] => (run.outputs.files ?? '').split('\n')

/** Every file made lies with the service, byte for byte, under its own name. */
async function expectPublished(run: RunResult, names: string[]): Promise<void> {
  const listed: { name: string; id: number; url: string; digest: string; size: number }[] = JSON.parse(
    run.outputs.artifacts ?? '[]'
  )
  expect(listed.map(({ name }) => name)).toEqual(names)
  for (const { name, id, digest, size, url } of listed) {
    const stored = bench.results.artifacts.get(name)
    expect(stored?.id).toBe(id)
    expect(`sha256:${await sha256(stored?.file ?? '')}`).toBe(digest)
    expect(stored?.size).toBe(size)
    expect(url).toBe(`https://github.com/octo/disks/actions/runs/1234567890/artifacts/${id}`)
  }
  for (const file of filesOf(run).filter(name => !name.endsWith('SHA256SUMS'))) {
    execFileSync('cmp', [file, bench.results.artifacts.get(file.split('/').pop() ?? '')?.file ?? ''])
  }
}

/** The stages add up, memory stays small, the checksums hold. */
function expectWhole(run: RunResult): void {
  const report = JSON.parse(readFileSync(run.outputs.report ?? '', 'utf8'))
  const sum = report.stages.reduce((total: number, stage: { seconds: number }) => total + stage.seconds, 0)
  expect(Math.abs(report.totalSeconds - sum) / report.totalSeconds).toBeLessThan(0.05)
  expect(run.peakRssBytes).toBeLessThan(200 * 1024 ** 2)
  const checksums = run.outputs.checksums ?? ''
  expect(
    execFileSync('sha256sum', ['--check', checksums], { cwd: dirname(checksums), encoding: 'utf8' })
  ).toMatch(/: OK\n/)
  for (const stage of report.stages) expect(run.log).toMatch(new RegExp(`^${stage.name}: \\d+\\.\\d s$`, 'm'))
}

describe('Debian with systemd', () => {
  let run: RunResult

  beforeAll(async () => {
    run = await bench.succeed({
      checkout: join(REPOSITORY, 'examples/debian'),
      inputs: {
        name: 'debian',
        formats: 'raw, qcow2',
        'root-password': 'correct horse',
        hostname: 'witness',
        'kernel-args': 'panic=10',
        'test-script': 'systemctl is-active systemd-journald\ntest "$(hostname)" = witness'
      }
    })
  }, 900_000)

  test('boots, and is published byte for byte', async () => {
    expect(run.outputs).toMatchObject({
      'boot-result': 'passed',
      accelerator: expect.stringMatching(/^(kvm|tcg)$/),
      distribution: expect.stringContaining('Debian GNU/Linux 12'),
      'kernel-version': expect.stringMatching(/^6\.1\.0-\d+-amd64$/),
      'boot-seconds': expect.stringMatching(/^\d+\.\d$/),
      'size-bytes': String(statSync(run.outputs.image ?? '').size)
    })
    expect(run.outputs.image).toMatch(/\/debian\.raw$/)
    expect(run.rawLog).toMatch(/^The image boots: witness login: ?.* after \d+\.\d s under /m)
    expect(run.rawLog).toMatch(/^test │ active$/m)
    // The article's own Dockerfile is complete.
    expect(run.log).toMatch(/^Nothing is added to the image\.$/m)
    expect(run.log).not.toContain('To be added')
    await expectPublished(run, [
      'debian.raw',
      'debian.qcow2',
      'debian.SHA256SUMS',
      'debian.console.log',
      'debian.screenshot.png',
      'debian.report.json'
    ])
    expect(run.outputs['artifact-digest']).toBe(`sha256:${await sha256(run.outputs.image ?? '')}`)
    expectWhole(run)
  })

  test('has the partition table asked for, is sparse and clean', () => {
    const image = run.outputs.image ?? ''
    expect(asRoot('sfdisk', '--dump', image)).toMatch(
      /label: dos\nlabel-id: 0x[0-9a-f]{8}\n[\s\S]*start= +2048, size= +\d+, type=83, bootable\n/
    )
    expect(statSync(image).blocks * 512).toBeLessThan(statSync(image).size * 0.9)
    expect(asRoot('e2fsck', '-fn', `${image}?offset=1048576`)).toMatch(/^root: \d+\/\d+ files/m)
    expect(untangle(readFileSync(run.outputs['serial-log'] ?? '', 'utf8'))).toContain('witness login:')
  })

  test("is one machine's: names, mounts, ids, password", () => {
    inImage(run.outputs.image ?? '', at => {
      const read = (path: string): string => asRoot('cat', join(at, path))
      const uuid =
        /^UUID=([0-9a-f-]{36}) \/ ext4 rw,relatime,errors=remount-ro 0 1$/m.exec(read('etc/fstab'))?.[1] ??
        'none'
      expect(read('boot/extlinux/syslinux.cfg')).toContain(
        `root=UUID=${uuid} rootfstype=ext4 rw console=tty0 console=ttyS0,115200 panic=10\n`
      )
      expect(read('etc/hostname')).toBe('witness\n')
      expect(read('etc/hosts')).toContain('127.0.1.1\twitness\n')
      expect(read('etc/machine-id')).toBe('')
      expect(asRoot('readlink', join(at, 'etc/resolv.conf'))).toContain('stub-resolv.conf')
      const [, hash = ''] = /^root:([^:]*):/m.exec(read('etc/shadow')) ?? []
      const salt = /^\$6\$(rounds=100000\$[^$]+)\$/.exec(hash)?.[1] ?? ''
      const again = execFileSync('openssl', ['passwd', '-6', '-salt', salt, 'correct horse'], {
        encoding: 'utf8'
      })
      expect(again.trim()).toBe(hash)
    })
  })

  test('the password is nowhere in the log', () => {
    expect(run.rawLog.replaceAll('::add-mask::correct horse', '')).not.toContain('correct horse')
  })

  test.each(['virtio', 'sata'] as const)('boots in a QEMU of its user on %s', async bus => {
    const qcow2 = filesOf(run)[1] ?? ''
    const before = await sha256(qcow2)
    expect(await bootImage(qcow2, 'qcow2', bus, /witness login: $/)).toContain('Debian GNU/Linux 12')
    expect(await sha256(qcow2)).toBe(before)
  })
})

test("Alpine's userland with Debian's cloud kernel boots by the default inputs", async () => {
  const run = await bench.succeed({ checkout: ALPINE })
  expect(run.outputs).toMatchObject({
    'boot-result': 'passed',
    distribution: 'Alpine Linux v3.20',
    'kernel-version': expect.stringContaining('cloud-amd64')
  })
  // The name comes from the repository.
  expect(run.outputs.image).toMatch(/\/disks\.qcow2$/)
  await expectPublished(run, [
    'disks.qcow2',
    'disks.SHA256SUMS',
    'disks.console.log',
    'disks.screenshot.png',
    'disks.report.json'
  ])
  expectWhole(run)
  const start = 'qemu-system-x86_64 -m 1024 -nographic -drive file=disks.qcow2'
  for (const part of ['disk image boots', '### Partition table', start, '| **Total** |'])
    expect(run.summary).toContain(part)
  await bootImage(run.outputs.image ?? '', 'qcow2', 'virtio', /disks login: $/, 120)
})

test('blanks in the context, build arguments of every kind, and each file as it was', async () => {
  const checkout = bench.context('')
  const context = 'a context, with "blanks" $HOME'
  mkdirSync(join(checkout, context))
  writeFileSync(
    join(checkout, context, 'Docker file'),
    `FROM alpine:3.20
ARG QUOTES
ARG COMMAS
ARG LINES
RUN printf '%s\\0' "$QUOTES" "$COMMAS" "$LINES" > /arguments
RUN mkdir -p /boot /etc/odd && echo x > /boot/vmlinuz-1.0 && ln /boot/vmlinuz-1.0 /etc/odd/hard && ln /boot/vmlinuz-1.0 /etc/odd/hard2 \\
 && chown 12345:54321 /etc/odd && cp /bin/busybox /etc/odd/setuid && chmod 4755 /etc/odd/setuid \\
 && touch "$(printf '/etc/odd/new\\nline')"
`
  )
  const run = await bench.succeed({
    checkout,
    inputs: {
      context,
      file: `${context}/Docker file`,
      'build-args': `QUOTES="double" 'single' \`id\`\nCOMMAS=$HOME,a,"b,c", $(id)\n"LINES=one\ntwo ""quoted"""`,
      formats: 'raw',
      'boot-test': 'false',
      'upload-artifact': 'false',
      name: "odd $(name) it's, one",
      'output-dir': "out put/it's, here",
      filesystem: 'ext3'
    }
  })
  const image = join(run.workspace, "out put/it's, here/odd $(name) it's, one.raw")
  expect(run.outputs).toMatchObject({ image, 'boot-result': 'skipped', artifacts: '[]' })
  expect(statSync(image).uid).toBe(statSync(run.home).uid)
  inImage(image, at => {
    const expected = [`"double" 'single' \`id\``, '$HOME,a,"b,c", $(id)', 'one\ntwo "quoted"', '']
    expect(asRoot('cat', join(at, 'arguments')).split('\0')).toEqual(expected)
    const stat = (format: string, path: string): string =>
      asRoot('stat', '--format', format, join(at, path)).trim()
    expect(stat('%u:%g', 'etc/odd')).toBe('12345:54321')
    expect(stat('%h', 'etc/odd/hard')).toBe('3')
    expect(stat('%a', 'etc/odd/setuid')).toBe('4755')
    expect(stat('%F', 'etc/odd/new\nline')).toBe('regular empty file')
  })
})
