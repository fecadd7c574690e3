import { JSDOM } from 'jsdom'
import type { BootResult } from '../../src/boot-check/boot-check.ts'
import type { TestCase } from '../../src/boot-check/junit.ts'
import { overlayLayers } from '../../src/container.ts'
import { checkImageSizes, compressArgv, convertArgv } from '../../src/formats.ts'
import type { Inputs } from '../../src/inputs.ts'
import { failureMarkdown, type Report, startCommand, summaryMarkdown } from '../../src/report.ts'
import { neededTools } from '../../src/tools.ts'

const CHECKS = [{ name: 'expect-port 22', seconds: 3.25 }]
const PHASES = [
  { name: 'firmware', start: 0, seconds: 1.5 },
  { name: 'kernel', start: 1.5, seconds: 10.84 }
] as const
const BOOT: BootResult = {
  devices: { diskBus: 'virtio', networkCard: 'virtio' },
  accelerator: 'tcg',
  seconds: 12.34,
  evidence: 'debian login: ',
  phases: PHASES,
  failedUnits: ['a|b.service'],
  checks: CHECKS
}
const REPORT: Report = {
  name: 'a|b',
  source: '/src',
  distribution: 'Debian GNU/Linux 12 (bookworm)',
  kernelVersion: '6.1.0',
  kernels: ['6.1.0', '5.10.0'],
  init: '/sbin/init (systemd)',
  added: ['linux-image-cloud-amd64', 'systemd-sysv'],
  disk: {
    sizeBytes: 1 << 30,
    partition: { startSector: 2048, sectors: 2_095_104 },
    diskId: '0badcafe',
    filesystem: 'ext4',
    uuid: 'u-u',
    label: 'root'
  },
  boot: {
    result: 'passed',
    seconds: 12.34,
    accelerator: 'tcg',
    evidence: 'debian login: ',
    checks: CHECKS,
    phases: PHASES,
    failedUnits: [],
    machines: [BOOT]
  },
  service: {
    command: ['/usr/bin/serve', '--greeting', 'a | b'],
    exposedPorts: ['8080/tcp', '53/udp'],
    volumes: ['/data']
  },
  files: [
    { name: 'a.raw', path: '/o/a.raw', size: 1 << 30, sha256: 'abc' },
    { name: 'a.vdi', path: '/o/a.vdi', size: 1 << 20, sha256: 'def' },
    { name: 'a.raw.zst', path: '/o/a.raw.zst', size: 1 << 20, sha256: 'ghi' }
  ],
  stages: [{ name: 'Preflight', seconds: 0.5 }],
  totalSeconds: 1.5,
  rootPrograms: ['mount']
}

test('the summary tells what was made and how to start it', () => {
  const summary = summaryMarkdown(REPORT, [
    { name: 'a.raw', id: 7, url: 'https://x/7', digest: 'sha256:abc', size: 1 << 30 }
  ])
  for (const part of [
    '## a\\|b: disk image boots',
    '| Boot check | passed in 12.3 s under TCG: debian login:  |',
    '| expect-port 22 | holds after 3.3 s |',
    '| Failed units | a\\|b.service |',
    '| Phase | From second | Seconds |',
    '| kernel | 1.5 | 10.8 |',
    '```mermaid\ntimeline\n  title Boot\n  0.0 s : firmware 1.5 s\n  1.5 s : kernel 10.8 s\n  12.3 s : success\n```',
    '| Kernel | 6.1.0, 5.10.0 |',
    '| Added to the image | linux-image-cloud-amd64 systemd-sysv |',
    "| Service | /usr/bin/serve --greeting 'a \\| b' |",
    '| Exposed ports | 8080/tcp, 53/udp |',
    '| Volumes | /data |',
    '| 1 | yes | 2048 | 2095104 | 1023 MiB | ext4 | u-u |',
    '| [a.raw](https://x/7) | 1.0 GiB | `abc` |',
    'qemu-system-x86_64 -m 1024 -nographic -drive file=a.raw,format=raw,if=virtio',
    'sudo dd if=a.raw of=/dev/sdX',
    "VBoxManage storageattach 'a|b' --storagectl SATA",
    'unzstd a.raw.zst',
    '| Preflight | 0.5 |',
    '| **Total** | **1.5** |'
  ]) {
    expect(summary).toContain(part)
  }
})

test('the summary tells of each machine', () => {
  const sata: BootResult = { ...BOOT, devices: { diskBus: 'sata', networkCard: 'virtio' }, seconds: 70 }
  const summary = summaryMarkdown({ ...REPORT, boot: { ...REPORT.boot, machines: [BOOT, sata] } }, [])
  for (const part of [
    '| Boot check, disk on virtio | passed in 12.3 s under TCG: debian login:  |',
    '| expect-port 22, disk on virtio | holds after 3.3 s |',
    '| Boot check, disk on sata | passed in 1 min 10 s under TCG: debian login:  |',
    '| disk on sata, network card virtio | kernel | 1.5 | 10.8 |',
    '  section disk on sata, network card virtio\n  0.0 s : firmware 1.5 s\n'
  ])
    expect(summary).toContain(part)
})

test('without a service the summary has no line of one', () => {
  const summary = summaryMarkdown({ ...REPORT, service: null }, [])
  for (const part of ['| Service', '| Exposed', '| Volumes']) expect(summary).not.toContain(part)
})

test('a failure is quoted so that nothing in it is Markdown', () => {
  expect(failureMarkdown('Boot <b>', 'a\n```\n# not a heading\n\u001b[31m')).toBe(
    '## Boot \\<b\\>\n\n````text\na\n```\n# not a heading\n\n````\n'
  )
})

test.each([
  ['/o/a.qcow2', 'qemu-system-x86_64 -m 1024 -nographic -drive file=/o/a.qcow2,format=qcow2,if=virtio'],
  ['/o/a,b c.vhd', "qemu-system-x86_64 -m 1024 -nographic -drive 'file=/o/a,,b c.vhd,format=vpc,if=virtio'"],
  ['/o/a.raw.zst', null]
])('%s is started by %s', (path, command) => {
  expect(startCommand(path)).toBe(command)
})

test.each([
  ['qcow2', ['-W', '-O', 'qcow2', '-c', '-o', 'compression_type=zstd']],
  ['vmdk', ['-O', 'vmdk']],
  ['vdi', ['-W', '-O', 'vdi']],
  ['vhd', ['-W', '-O', 'vpc', '-o', 'subformat=fixed,force_size=on']],
  ['vhdx', ['-W', '-O', 'vhdx', '-o', 'subformat=dynamic']]
] as const)('%s is made by qemu-img', (container, options) => {
  expect(convertArgv(container, '/w/disk.raw', '/w/x')).toEqual([
    'qemu-img',
    'convert',
    '-f',
    'raw',
    '-m',
    '16',
    ...options,
    '/w/disk.raw',
    '/w/x'
  ])
})

test.each([
  ['zst', 'zstd'],
  ['gz', 'pigz'],
  ['xz', 'xz']
] as const)('%s is compressed by %s', (compression, program) => {
  expect(compressArgv(compression, '/w/x')[0]).toBe(program)
})

test("a container's layers, topmost first", () => {
  const graph = (LowerDir: string, Name = 'overlay2'): string =>
    JSON.stringify({ Name, Data: { UpperDir: '/d/u/diff', LowerDir } })
  expect(overlayLayers(graph('/d/i/diff:/d/1/diff'))).toEqual(['/d/u/diff', '/d/i/diff', '/d/1/diff'])
  expect(overlayLayers(graph('/d/1/diff', 'btrfs'))).toBeNull()
  expect(overlayLayers(graph('/d/a,b/diff'))).toBeNull()
  expect(overlayLayers('null')).toBeNull()
  expect(overlayLayers('')).toBeNull()
})

test('only what a run needs is installed', () => {
  const tools = (inputs: Partial<Inputs>): string[] =>
    neededTools({
      formats: [{ container: 'raw', compression: null }],
      boot: null,
      rootPassword: null,
      ...inputs
    } as Inputs).map(tool => ('program' in tool ? tool.program : tool.file))
  const least = tools({})
  expect(least).toEqual(expect.arrayContaining(['extlinux', 'mbr.bin', 'sfdisk', 'mke2fs']))
  expect(least).not.toEqual(expect.arrayContaining(['qemu-img']))
  expect(tools({ formats: [{ container: 'qcow2', compression: 'xz' }] })).toEqual([
    ...least,
    'qemu-img',
    'xz'
  ])
  expect(tools({ rootPassword: 'x' })).toContain('openssl')
})

test('an image over its budget is told with how much', () => {
  const files = [
    { name: 'a.qcow2', size: 30 << 20 },
    { name: 'a.raw', size: 1 << 30 }
  ]
  const cases: TestCase[] = []
  checkImageSizes(files, null, cases)
  expect(cases).toEqual([])
  checkImageSizes(files, 1 << 30, cases)
  expect(cases).toEqual([expect.objectContaining({ name: 'max-image-size', failure: null })])
  expect(() => checkImageSizes(files, 20 << 20, cases)).toThrow(
    /^a\.qcow2 has 30\.0 MiB, 10\.0 MiB more; a\.raw has 1\.0 GiB, 1004 MiB more than max-image-size \(20\.0 MiB\) allows\. /
  )
})

describe('the diagram of the boot', () => {
  /** Mermaid itself, which needs a document to be loaded. */
  const mermaid = (async () => {
    const { window } = new JSDOM('')
    Object.assign(globalThis, { window, document: window.document })
    return (await import('mermaid')).default
  })()
  const diagramIn = (summary: string): string => /^```mermaid\n(.*?)\n```$/ms.exec(summary)?.[1] ?? ''

  test('of one machine, of several and of one that failed is one that Mermaid knows', async () => {
    const sata: BootResult = { ...BOOT, devices: { diskBus: 'sata', networkCard: 'virtio' } }
    const progress = { accelerator: 'kvm', seconds: 3, phases: PHASES } as const
    for (const summary of [
      summaryMarkdown(REPORT, []),
      summaryMarkdown({ ...REPORT, boot: { ...REPORT.boot, machines: [BOOT, sata] } }, []),
      failureMarkdown('Boot check failed', 'It does not boot.', progress)
    ])
      expect(await (await mermaid).parse(diagramIn(summary))).toMatchObject({ diagramType: 'timeline' })
  })

  test('would be refused if it were none', async () => {
    await expect((await mermaid).parse('timeline\n  a :')).rejects.toThrow('Parse error')
  })
})
