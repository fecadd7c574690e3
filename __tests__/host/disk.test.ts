import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jest } from '@jest/globals'
import { pack } from 'tar-stream'
import { type Container, openContainer } from '../../src/container.ts'
import { createDisk, type DiskPlan, fillDisk, finishDisk, mountDisk, planDisk } from '../../src/disk.ts'
import type { Edit } from '../../src/edits.ts'
import { type CommandOptions, type CommandResult, Host } from '../../src/host.ts'
import type { Filesystem } from '../../src/inputs.ts'
import { mountedBelow, Undo } from '../../src/undo.ts'
import { asRoot, inImage } from '../support/e2e.ts'
import { ensureBaseImage } from '../support/images.ts'

const MIB = 1024 ** 2
/** A machine whose kernel does not mount the container's layers, as with the containerd image store. */
class HostWithoutOverlay extends Host {
  override runAsRoot(argv: readonly string[], options?: CommandOptions): Promise<CommandResult> {
    if (argv.includes('overlay'))
      return Promise.resolve({ exitCode: 32, stdout: '', stderr: 'unknown filesystem type' })
    return super.runAsRoot(argv, options)
  }
}

let folder: string
let undo: Undo
let host: Host

function begin(as: Host): void {
  host = as
  undo = Undo.begin(host)
}

beforeEach(() => {
  jest.spyOn(process.stdout, 'write').mockReturnValue(true)
  folder = mkdtempSync(join(tmpdir(), 'docker-to-disk-host-'))
})

afterEach(async () => {
  expect(await undo.releaseAll()).toEqual([])
  jest.restoreAllMocks()
  expect(mountedBelow(folder)).toEqual([])
  expect(asRoot('losetup', '--list', '--noheadings', '--output', 'BACK-FILE')).not.toContain(folder)
  rmSync(folder, { recursive: true })
})

/** Makes the image in a builder's container-free way: a tar stream, imported. */
async function importImage(tag: string, tar: string): Promise<void> {
  execFileSync('docker', ['import', tar, tag], { stdio: 'ignore' })
}

/** The docker on the PATH may be a client without BuildKit; a distribution's own then lies in /usr/bin. */
function buildWithBuildKit(tag: string, context: string): void {
  const env = { ...process.env, DOCKER_BUILDKIT: '1' }
  try {
    execFileSync('docker', ['build', '--tag', tag, context], { env, stdio: 'ignore' })
  } catch {
    execFileSync('/usr/bin/docker', ['build', '--tag', tag, context], { env, stdio: 'pipe' })
  }
}

async function makeDisk(
  container: Container,
  filesystem: Filesystem,
  extraSpaceBytes: number,
  edits: Edit[] = []
): Promise<{ path: string; plan: DiskPlan }> {
  const plan = planDisk(container.index.measure, { sizeBytes: null, extraSpaceBytes, filesystem })
  const path = join(folder, 'disk.raw')
  await createDisk(host, plan, path)
  const mounted = await mountDisk(host, undo, plan, path, folder)
  await fillDisk(host, mounted, container, edits)
  await finishDisk(host, undo, plan, mounted)
  return { path, plan }
}

describe('a tree of every kind of file', () => {
  const tag = 'docker-to-disk-test:odd'
  const names = {
    newline: 'odd/new\nline',
    blanks: 'odd/ two  blanks ',
    hyphen: 'odd/-rf',
    unicode: 'odd/ünïcode ☃',
    long: `odd/${'x'.repeat(255)}`,
    quotes: `odd/'"\`$(id)\\`
  }

  beforeAll(async () => {
    const source = mkdtempSync(join(tmpdir(), 'docker-to-disk-odd-'))
    const inside = (path: string): string => join(source, path)
    asRoot('mkdir', '-p', inside('odd'), inside('etc'), inside('sticky'), inside('deep/'.repeat(40)))
    for (const name of Object.values(names)) asRoot('touch', inside(name))
    writeFileSync(inside('odd/file'), 'content')
    asRoot('ln', inside('odd/file'), inside('odd/hard'))
    asRoot('ln', '-s', '/etc/../../odd/file', inside('odd/link'))
    asRoot('ln', '-s', 'x'.repeat(200), inside('odd/long-link'))
    asRoot('chown', '12345:54321', inside('odd/file'))
    asRoot('chmod', '6755', inside('odd/file'))
    asRoot('chmod', '1777', inside('sticky'))
    asRoot('mknod', inside('odd/block'), 'b', '7', '99')
    asRoot('mknod', inside('odd/char'), 'c', '1', '7')
    asRoot('mkfifo', inside('odd/fifo'))
    asRoot('cp', '/bin/true', inside('odd/capable'))
    asRoot('setcap', 'cap_net_raw+ep', inside('odd/capable'))
    asRoot('touch', inside('odd/attributes'))
    asRoot('setfattr', '-n', 'user.note', '-v', 'kept', inside('odd/attributes'))
    asRoot('setfacl', '-m', 'u:4242:rw', inside('odd/attributes'))
    asRoot('touch', '--date', '2001-02-03 04:05:06.789 UTC', inside('odd/attributes'))
    const context = mkdtempSync(join(tmpdir(), 'docker-to-disk-context-'))
    asRoot(
      'tar',
      '-C',
      source,
      '--xattrs',
      '--xattrs-include=*',
      '--acls',
      '--format=posix',
      '-cf',
      join(context, 'odd.tar'),
      '.'
    )
    // Made in the image by BuildKit, which keeps a layer as it was written: to unpack a tar, as the legacy builder does with
    // each layer, fills holes with zeros.
    const hole =
      'truncate -s 64M /odd/hole && dd if=/dev/urandom of=/odd/hole bs=4096 count=1 seek=8192 conv=notrunc'
    writeFileSync(join(context, 'Dockerfile'), `FROM alpine:3.20\nADD odd.tar /\nRUN ${hole}\n`)
    await ensureBaseImage('alpine:3.20')
    buildWithBuildKit(tag, context)
    asRoot('rm', '-rf', source, context)
  }, 60_000)

  afterAll(() => {
    execFileSync('docker', ['image', 'rm', '--force', '--no-prune', tag], { stdio: 'ignore' })
  })

  test.each([
    ['mounted layers', () => new Host(), 'ext4'],
    ['docker export', () => new HostWithoutOverlay(), 'ext4'],
    ['mounted layers', () => new Host(), 'ext2'],
    ['mounted layers', () => new Host(), 'ext3']
  ] as const)('is kept from %s', async (how, makeHost, filesystem) => {
    begin(makeHost())
    const container = await openContainer(host, undo, tag, folder)
    expect(container.keepsHoles).toBe(how === 'mounted layers')
    const edits: Edit[] = [
      { kind: 'file', path: 'etc/new/deep', content: 'edited', mode: 0o600, uid: 1, gid: 2 },
      { kind: 'link', path: 'etc/link', target: '/nowhere' },
      { kind: 'device', path: 'dev/console', major: 5, minor: 1, mode: 0o600 },
      { kind: 'remove', path: 'odd/fifo' }
    ]
    const { path, plan } = await makeDisk(container, filesystem, 8 * MIB, edits)

    expect(asRoot('sfdisk', '--dump', path)).toContain(`start=        2048, size=`)
    const dump = asRoot('sfdisk', '--dump', path)
    for (const part of [
      'label: dos',
      `label-id: 0x${plan.diskId}`,
      `size=${String(plan.partition.sectors).padStart(12)}`,
      'type=83, bootable'
    ])
      expect(dump).toContain(part)
    const features = asRoot('sh', '-c', `dumpe2fs -h '${path}?offset=1048576' 2>&1`)
    expect(features).toContain(`Filesystem UUID:          ${plan.uuid}`)
    expect(features).not.toMatch(
      /Filesystem features:.*(64bit|metadata_csum|orphan_file|inline_data|needs_recovery)/
    )
    expect(/Filesystem features:.*has_journal/.test(features)).toBe(filesystem !== 'ext2')
    expect(/Filesystem features:.* extent/.test(features)).toBe(filesystem === 'ext4')
    expect(statSync(path).blocks * 512).toBeLessThan(statSync(path).size * 0.75)

    inImage(path, at => {
      const stat = (format: string, name: string): string =>
        asRoot('stat', '--format', format, '--', join(at, name)).trim()
      expect(stat('%u:%g %a %h %s', 'odd/file')).toBe('12345:54321 6755 2 7')
      expect(stat('%i', 'odd/file')).toBe(stat('%i', 'odd/hard'))
      expect(asRoot('readlink', join(at, 'odd/link')).trim()).toBe('/etc/../../odd/file')
      expect(asRoot('readlink', join(at, 'odd/long-link')).trim()).toBe('x'.repeat(200))
      expect(stat('%a', 'sticky')).toBe('1777')
      expect(stat('%F %t:%T', 'odd/block')).toBe('block special file 7:63')
      expect(stat('%F %t:%T', 'odd/char')).toBe('character special file 1:7')
      for (const name of Object.values(names)) expect(stat('%F', name)).toBe('regular empty file')
      expect(stat('%F', 'deep/'.repeat(40))).toBe('directory')
      expect(stat('%s', 'odd/hole')).toBe(String(64 * MIB))
      expect(Number(stat('%b', 'odd/hole')) * 512).toBeLessThan(MIB)
      expect(asRoot('getcap', join(at, 'odd/capable'))).toContain('cap_net_raw=ep')
      // Docker's export leaves out all attributes but file capabilities.
      if (how === 'mounted layers') {
        expect(
          asRoot(
            'getfattr',
            '--absolute-names',
            '-n',
            'user.note',
            '--only-values',
            join(at, 'odd/attributes')
          )
        ).toBe('kept')
        expect(asRoot('getfacl', '--absolute-names', '--numeric', join(at, 'odd/attributes'))).toContain(
          'user:4242:rw-'
        )
      }
      expect(stat('%Y', 'odd/attributes')).toBe(String(Date.parse('2001-02-03T04:05:06Z') / 1000))
      expect(stat('%u:%g %a', 'etc/new/deep')).toBe('1:2 600')
      expect(asRoot('cat', join(at, 'etc/new/deep'))).toBe('edited')
      expect(asRoot('readlink', join(at, 'etc/link')).trim()).toBe('/nowhere')
      expect(stat('%F %t:%T %a', 'dev/console')).toBe('character special file 5:1 600')
      expect(asRoot('sh', '-c', `test -e '${at}/odd/fifo' && echo there || echo gone`)).toBe('gone\n')
    })
  })

  test('contents are read through links, and a large file only so far', async () => {
    begin(new Host())
    const container = await openContainer(host, undo, tag, folder)
    expect((await container.read('odd/file'))?.toString()).toBe('content')
    expect(await container.read('odd/gone')).toBeNull()
    expect(await container.read('odd')).toBeNull()
    expect((await container.read('odd/hole', 1000))?.length).toBe(1000)
  })
})

describe('the size computed is enough without any space to spare', () => {
  const shapes: [
    name: string,
    write: (add: (name: string, size: number) => Promise<void>) => Promise<void>
  ][] = [
    ['nothing', async () => {}],
    ['one large file', add => add('large', 300 * MIB)],
    [
      'twenty thousand small files',
      async add => {
        for (let i = 0; i < 20_000; i++) await add(`d${i % 50}/${'n'.repeat(60)}${i}`, 100)
      }
    ],
    [
      'one folder of ten thousand long names',
      async add => {
        for (let i = 0; i < 10_000; i++) await add(`one/${'n'.repeat(200)}${i}`, 0)
      }
    ],
    [
      'files just above a block',
      async add => {
        for (let i = 0; i < 5000; i++) await add(`f${i}`, 4097)
      }
    ]
  ]

  test.each(
    shapes.flatMap(([name, write]) =>
      (['ext4', 'ext3'] as const).map(filesystem => [name, filesystem, write] as const)
    )
  )('%s on %s', async (name, filesystem, write) => {
    begin(new Host())
    const tar = join(folder, 'tree.tar')
    const archive = pack()
    const importing = new Promise<void>((resolve, reject) => {
      const chunks: Buffer[] = []
      archive.on('data', chunk => chunks.push(chunk as Buffer))
      archive.on('error', reject)
      archive.on('end', () => {
        writeFileSync(tar, Buffer.concat(chunks))
        resolve()
      })
    })
    archive.entry({ name: 'here', type: 'file' }, '')
    await write(
      (name, size) =>
        new Promise((resolve, reject) =>
          archive.entry({ name }, Buffer.alloc(size, 'x'), error => (error ? reject(error) : resolve()))
        )
    )
    archive.finalize()
    await importing
    const tag = `docker-to-disk-test:${undo.runId}`
    await importImage(tag, tar)
    rmSync(tar)
    try {
      const container = await openContainer(host, undo, tag, folder)
      const { path } = await makeDisk(container, filesystem, 0)
      const free = inImage(path, at => Number(asRoot('stat', '--file-system', '--format', '%a', at)) * 4096)
      // Enough, and not wastefully much. The smallest filesystem of all has room whatever is in it.
      if (name !== 'nothing') expect(free).toBeLessThan(6 * MIB + container.index.measure.bytes * 0.04)
    } finally {
      execFileSync('docker', ['image', 'rm', '--force', tag], { stdio: 'ignore' })
    }
  })
})

test('the disk is checked to have exactly the boot code that fits', async () => {
  begin(new Host())
  const { writeBootCode } = await import('../../src/bootloader.ts')
  const disk = join(folder, 'disk')
  writeFileSync(disk, Buffer.alloc(1024, 'd'))
  writeFileSync(join(folder, 'code'), Buffer.alloc(440, 'c'))
  writeBootCode(disk, join(folder, 'code'))
  expect(readFileSync(disk, 'latin1')).toBe('c'.repeat(440) + 'd'.repeat(1024 - 440))
  writeFileSync(join(folder, 'code'), Buffer.alloc(441, 'c'))
  expect(() => writeBootCode(disk, join(folder, 'code'))).toThrow('is no MBR code: it has 441 bytes')
})
