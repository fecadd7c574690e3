import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { asRoot, Bench, inImage } from '../support/e2e.ts'
import {
  device,
  fifo,
  file,
  fingerprint,
  folder,
  hardLink,
  importImage,
  link,
  removeImage,
  type TarFile,
  withFiles
} from '../support/hostile.ts'
import type { RunResult } from '../support/runner.ts'

const TAG = 'docker-to-disk-test:hostile'
const bench = new Bench()

/** What lies on the host where links of the images lead to. */
const canary = mkdtempSync(join(tmpdir(), 'canary-'))
const NAMES = [
  'fstab',
  'hostname',
  'hosts',
  'resolv.conf',
  'machine-id',
  'passwd',
  'shadow',
  'vmlinuz-1.0',
  'syslinux.cfg',
  'extlinux/syslinux.cfg',
  'extlinux/ldlinux.sys',
  'ldlinux.sys',
  'ldlinux.c32',
  'extlinux.sys',
  'extlinux.conf',
  'policy-rc.d',
  'console',
  'ssh_host_rsa_key',
  'systemd/system/x',
  'file'
]
for (const name of NAMES) {
  mkdirSync(join(canary, name, '..'), { recursive: true })
  writeFileSync(join(canary, name), `canary ${name}\nroot:canary:\nexit 101\n`)
  chmodSync(join(canary, name), 0o644)
}
chmodSync(canary, 0o755)
const inCanary = (name: string): string => join(canary, name)
/** The same from anywhere in the tree, wherever it is mounted. */
const climb = (name: string): string => `${'../'.repeat(24)}${inCanary(name).slice(1)}`

/** Files of the host itself that a link may name. */
const HOST = [
  '/etc/fstab',
  '/etc/hostname',
  '/etc/hosts',
  '/etc/passwd',
  '/etc/shadow',
  '/boot',
  '/root'
].filter(existsSync)
const hostState = (): string[] => [
  ...fingerprint(canary),
  ...HOST.map(path => asRoot('stat', '--format', '%n %f %u %g %s %i %Y', path)),
  ...asRoot('ls', '-A', '/', '/boot', '/etc', tmpdir())
    .split('\n')
    .filter(name => /pwned|extlinux/.test(name))
]

let mountsSeen = 0
/** Mount options of whatever a run mounts, seen from outside. */
function watchMounts(): { stop(): string[] } {
  const seen = new Set<string>()
  const look = (): void => {
    for (const line of readFileSync('/proc/self/mounts', 'utf8').split('\n'))
      if (line.includes('/.docker-to-disk-')) seen.add(line)
  }
  const timer = setInterval(look, 5)
  return {
    stop() {
      clearInterval(timer)
      mountsSeen += seen.size
      return [...seen]
    }
  }
}

let cases = 0
const refusals: string[] = []

type Case = Readonly<{
  files: readonly TarFile[] | (() => Iterable<TarFile>)
  inputs?: Record<string, string>
  /** Changes the image's layer as Docker holds it, for what no archive carries. */
  layer?: (folder: string) => void
  path?: string
}>

async function make({ files, inputs, layer, path }: Case, outcome: 'succeed' | 'fail' | 'either') {
  cases++
  await importImage(TAG, typeof files === 'function' ? files() : withFiles(files))
  const before = hostState()
  const mounts = watchMounts()
  try {
    if (layer) {
      const format = '{{.GraphDriver.Data.UpperDir}}'
      layer(
        execFileSync('docker', ['image', 'inspect', '--format', format, TAG], { encoding: 'utf8' }).trim()
      )
    }
    const options = {
      inputs: {
        image: TAG,
        name: 'hostile',
        formats: 'raw',
        'boot-test': 'false',
        'upload-artifact': 'false',
        'root-password': 'canary password',
        ...inputs
      },
      ...(path && { path })
    }
    if (outcome === 'either') return { run: await bench.run(options), title: '', message: '' }
    if (outcome === 'succeed') return { run: await bench.succeed(options), title: '', message: '' }
    const failed = await bench.fail(options)
    refusals.push(failed.message.split('\n')[0] ?? '')
    return failed
  } finally {
    for (const mount of mounts.stop()) {
      for (const option of ['nodev', 'nosuid', 'noexec'])
        expect(mount.split(' ')[3]?.split(',')).toContain(option)
    }
    expect(hostState()).toEqual(before)
    removeImage(TAG)
  }
}

/** Makes the disk; gives what `look` sees in it. */
async function accept<T>(given: Case, look: (at: string, run: RunResult) => T): Promise<T> {
  const { run } = await make(given, 'succeed')
  try {
    return inImage(run.outputs.image ?? '', at => look(at, run))
  } finally {
    rmSync(run.outputs.image ?? '')
  }
}

async function refuse(given: Case, title: string, message: string | RegExp): Promise<void> {
  const failed = await make(given, 'fail')
  expect(failed.title).toBe(title)
  expect(failed.message).toMatch(message)
}

const read = (at: string, path: string): string => asRoot('cat', join(at, path))
const stat = (at: string, format: string, path: string): string =>
  asRoot('stat', '--format', format, join(at, path)).trim()

beforeAll(() => bench.begin())
afterAll(async () => {
  await bench.end()
  rmSync(canary, { recursive: true })
  process.stderr.write(
    `Hostile images: ${cases} made into disks or refused, no canary touched; ${refusals.length} refused:\n` +
      `${[...new Set(refusals)].map(text => `  ${text}\n`).join('')}`
  )
})

test('a plain system is accepted, or nothing below means anything', async () => {
  await accept({ files: [] }, at => {
    expect(read(at, 'etc/shadow')).toMatch(/^root:\$6\$/)
    expect(read(at, 'etc/hostname')).toBe('hostile\n')
    expect(read(at, 'etc/fstab')).toMatch(/^UUID=.* \/ ext4 .*\n# image fstab\n$/)
    expect(read(at, 'boot/extlinux/syslinux.cfg')).toContain('LINUX /boot/vmlinuz-1.0')
    expect(stat(at, '%F', 'boot/extlinux/ldlinux.sys')).toBe('regular file')
  })
})

// Docker makes the /etc of a container a folder itself, for its own hosts, hostname and resolv.conf.
test.each([
  ['an absolute path of the host', canary],
  ['a climbing path of the host', climb('.')],
  ["the process's own root", '/proc/self/root/etc'],
  ['itself', 'etc']
])('/etc as a link to %s is not followed', (_, target) =>
  accept({ files: [link('etc', target)], inputs: { 'root-password': '' } }, at => {
    expect(stat(at, '%F', 'etc')).toBe('directory')
    expect(read(at, 'etc/fstab')).not.toContain('canary')
  })
)

test('folders on the way that are links to folders of the host are followed inside the image', () =>
  accept(
    {
      files: [
        link('boot/extlinux', inCanary('extlinux')),
        file(inCanary('extlinux/ldlinux.sys').slice(1), "the image's own"),
        link('var/lib/dbus', climb('.')),
        file(inCanary('machine-id').slice(1), "the image's own"),
        link('usr/sbin', canary),
        file(inCanary('policy-rc.d').slice(1), 'exit 101'),
        link('etc/ssh', climb('.')),
        file(inCanary('ssh_host_rsa_key').slice(1), "the image's own"),
        file('usr/bin/ssh-keygen'),
        link('sbin/openrc', 'init'),
        file('sbin/openrc-run')
      ]
    },
    at => {
      const names = asRoot('find', join(at, canary), '-type', 'f', '-printf', '%P\n')
        .trim()
        .split('\n')
        .sort()
      expect(names).toEqual(['extlinux/ldlinux.c32', 'extlinux/ldlinux.sys', 'extlinux/syslinux.cfg'])
    }
  ))

test.each([
  ['absolute', inCanary],
  ['climbing', climb]
])('files in /etc and elsewhere as %s links to the host are replaced, not followed', (_, target) =>
  accept(
    {
      files: [
        ...['fstab', 'hostname', 'hosts', 'machine-id'].map(name => link(`etc/${name}`, target(name))),
        link('etc/resolv.conf', target('resolv.conf')),
        link('dev/console', target('console')),
        link('dev/null', target('file')),
        link('var/lib/dbus/machine-id', target('machine-id')),
        link('usr/sbin/policy-rc.d', target('policy-rc.d')),
        link('.dockerenv', target('file')),
        link('etc/ssh/ssh_host_rsa_key', target('ssh_host_rsa_key')),
        link('etc/ssh/ssh_host_ed25519_key.pub', target('ssh_host_rsa_key')),
        file('usr/bin/ssh-keygen'),
        link('sbin/openrc', 'init'),
        file('sbin/openrc-run')
      ]
    },
    at => {
      for (const name of ['fstab', 'hostname', 'hosts'])
        expect(stat(at, '%F', `etc/${name}`)).toBe('regular file')
      expect(read(at, 'etc/fstab')).not.toContain('canary')
      expect(read(at, 'etc/hostname')).toBe('hostile\n')
      expect(stat(at, '%F', 'dev/console')).toBe('character special file')
      expect(asRoot('ls', '-A', join(at, 'etc/ssh'))).not.toContain('key')
      expect(asRoot('ls', '-A', at)).not.toContain('.dockerenv')
    }
  )
)

describe('the password', () => {
  test.each([
    ['absolute', inCanary],
    ['climbing', climb]
  ])('goes nowhere if /etc/shadow and /etc/passwd are %s links to the host', (_, target) =>
    refuse(
      { files: [link('etc/shadow', target('shadow')), link('etc/passwd', target('passwd'))] },
      'No user root',
      'Input root-password is given, but the image has no user root'
    )
  )

  test('goes into /etc/passwd, byte for byte, if /etc/shadow leads to the host', () =>
    accept(
      {
        files: [
          link('etc/shadow', '/etc/shadow/../../etc/gone'),
          file('etc/passwd', Buffer.from('root:x:0:0:r\xe9my:/root:/bin/sh\n', 'latin1'))
        ]
      },
      at => {
        const bytes = Buffer.from(asRoot('base64', join(at, 'etc/passwd')), 'base64')
        expect(bytes.toString('latin1')).toMatch(/^root:\$6\$[^:]*:0:0:r\xe9my:/)
      }
    ))

  test('does not reach the other name of a hard link', () =>
    accept({ files: [file('other', 'root:*:1::::::\n'), hardLink('etc/shadow', 'other')] }, at => {
      expect(read(at, 'other')).toBe('root:*:1::::::\n')
      expect(read(at, 'etc/shadow')).toMatch(/^root:\$6\$/)
    }))

  test('is not put into a file that was only half read', () =>
    refuse(
      { files: [file('etc/shadow', `root:*:1::::::\n${'x'.repeat(2 << 20)}`)] },
      'Unusable root filesystem',
      '/etc/shadow in the image is larger than 1 MiB'
    ))
})

describe('the boot loader', () => {
  const kernel = [file('vmlinuz-1.0', 'kernel'), link('vmlinuz', 'vmlinuz-1.0')]
  test.each([
    ['/boot, a link out', [link('boot', canary)], '/boot in the image is a link that leads nowhere'],
    ['/boot, a climbing link', [link('boot', climb('.'))], '/boot in the image is a link that leads nowhere'],
    ['/boot, a file', [file('boot', 'x')], '/boot in the image is no folder'],
    ['/boot, a device', [device('boot', 'block', 7, 0)], '/boot in the image is no folder'],
    ['/boot, a fifo', [fifo('boot')], '/boot in the image is no folder'],
    [
      '/boot/extlinux, a link out',
      [folder('boot'), link('boot/extlinux', inCanary('extlinux'))],
      'leads nowhere'
    ],
    ['/boot/extlinux, a file', [folder('boot'), file('boot/extlinux', 'x')], 'is no folder'],
    [
      'syslinux.cfg, a folder',
      [folder('boot/extlinux/syslinux.cfg')],
      'has to be a file, but it is a folder'
    ],
    ['ldlinux.sys, a folder', [folder('boot/extlinux/ldlinux.sys')], 'has to be a file, but it is a folder']
  ])('refuses %s', (_, files, message) =>
    refuse({ files: [...kernel, ...files] }, 'Unusable root filesystem', message)
  )

  test.each([
    ['absolute', inCanary],
    ['climbing', climb]
  ])('replaces its files where they are %s links to the host', (_, target) =>
    accept(
      {
        files: ['syslinux.cfg', 'ldlinux.sys', 'ldlinux.c32', 'extlinux.conf', 'extlinux.sys'].map(name =>
          link(`boot/extlinux/${name}`, target(name))
        )
      },
      at => {
        for (const name of ['syslinux.cfg', 'ldlinux.sys', 'ldlinux.c32'])
          expect(stat(at, '%F', `boot/extlinux/${name}`)).toBe('regular file')
        expect(asRoot('ls', '-A', join(at, 'boot/extlinux'))).not.toContain('extlinux.')
      }
    )
  )

  test('replaces its files where they are pipes, devices and other names of files', () =>
    accept(
      {
        files: [
          hardLink('boot/extlinux/ldlinux.sys', 'boot/vmlinuz-1.0'),
          device('boot/extlinux/ldlinux.c32', 'block', 7, 0),
          fifo('boot/extlinux/extlinux.sys'),
          fifo('boot/extlinux/syslinux.cfg')
        ]
      },
      at => {
        expect(read(at, 'boot/vmlinuz-1.0')).toBe('kernel')
        expect(stat(at, '%F', 'boot/extlinux/ldlinux.c32')).toBe('regular file')
      }
    ))

  test.each([
    ['the host', '/etc/shadow/../../etc/canary'],
    ["the process's own root", '/proc/self/root/boot/vmlinuz'],
    ['itself', 'vmlinuz-1.0'],
    ['a loop', 'loop-a']
  ])('has no kernel that is a link to %s', (_, target) =>
    refuse(
      {
        files: [
          link('boot/vmlinuz-1.0', target),
          link('boot/loop-a', 'loop-b'),
          link('boot/loop-b', 'loop-a')
        ]
      },
      'Not a bootable system',
      'No kernel in the image'
    )
  )

  test('takes /etc/shadow of the image, not of the host, for a kernel that is a link to it', () =>
    accept({ files: [link('boot/vmlinuz-1.0', '/etc/shadow')] }, at => {
      expect(read(at, 'boot/extlinux/syslinux.cfg')).toContain('LINUX /etc/shadow\n')
    }))
})

describe('names that are no UTF-8 cannot pass for others', () => {
  // Both decode to U+FFFD: the link would be taken for one of the folders beside it.
  const files = [
    ...Array.from({ length: 8 }, (_, i) => file(`b${String.fromCharCode(i + 1)}/machine-id`)),
    link('b\ufffd', canary)
  ]
  test.each([['/boot', [link('boot', 'b\ufffd'), file('vmlinuz', 'kernel')]]])('%s', (name, links) =>
    refuse(
      { files: [...files, ...links], inputs: { 'root-password': '' } },
      'Unusable root filesystem',
      new RegExp(`^${name}/\\S+ has to be written, but`)
    )
  )

  test('/var/lib/dbus, whichever of them it is taken for', () =>
    make({ files: [...files, link('var/lib/dbus', '/b\ufffd')] }, 'either'))
})

describe('files that are none', () => {
  test.each([
    ['a folder', folder('sbin/init')],
    ['a fifo', fifo('sbin/init')],
    ['a device', device('sbin/init')],
    ['a link to the host', link('sbin/init', '/proc/self/root/sbin/init')]
  ])('init as %s is none', (_, init) =>
    refuse({ files: [init] }, 'Not a bootable system', 'No init in the image: looked for /sbin/init')
  )

  test('devices and fifos for os-release, fstab, shadow and the rest are neither read nor waited for', () =>
    accept(
      {
        files: [
          fifo('etc/os-release'),
          device('usr/lib/os-release', 'character', 1, 5),
          fifo('etc/fstab'),
          device('etc/hosts', 'character', 1, 5),
          fifo('etc/hostname'),
          fifo('etc/machine-id'),
          fifo('usr/sbin/policy-rc.d'),
          device('etc/shadow', 'block', 7, 0)
        ]
      },
      (at, run) => {
        expect(run.outputs.distribution).toBe('an unknown distribution')
        expect(stat(at, '%F', 'etc/fstab')).toBe('regular file')
        expect(read(at, 'etc/passwd')).toMatch(/^root:\$6\$/)
      }
    ))

  test.each(['etc/fstab', 'etc/hostname', '.dockerenv', 'etc/machine-id'])(
    '%s as a folder is refused',
    path =>
      refuse(
        { files: [file(`${path}/x`), ...(path.endsWith('machine-id') ? [file('sbin/openrc')] : [])] },
        'Unusable root filesystem',
        `/${path} has to be a file, but it is a folder in the image.`
      )
  )

  test('os-release of 50 MB that no regular expression likes', () =>
    accept(
      {
        files: [file('usr/lib/os-release', `ID=x\nA=${' '.repeat(60_000)}y\n${'B=1\n'.repeat(12_500_000)}`)]
      },
      (_, run) => expect(run.seconds).toBeLessThan(30)
    ))
})

describe('names and words for the log', () => {
  test('newlines, escape codes and workflow commands in names and values do nothing', () =>
    accept(
      {
        files: [
          file(
            'usr/lib/os-release',
            'ID=x\nPRETTY_NAME="##[add-mask]hostile\u001b[2J\u0085::error::pwned"\n'
          ),
          file('boot/vmlinuz-virt', 'kernel'),
          folder('lib/modules/6.1\n::error::pwned\r::set-output name=image::pwned'),
          file('\n::error::pwned', ''),
          file('\u001b]0;pwned\u0007', ''),
          file('boot/##[set-output name=report]pwned', '')
        ]
      },
      (_, run) => {
        expect(run.annotations).toEqual([
          {
            level: 'warning',
            title: 'About the machine',
            message:
              'The network is left alone: /sbin/init is no init that is known. It has to bring the network up itself.'
          }
        ])
        expect(run.outputs.image).toMatch(/\/hostile\.raw$/)
        expect(run.outputs.report).toMatch(/\/hostile\.report\.json$/)
        expect(run.log).toContain('hostile')
        expect(run.rawLog).not.toMatch(/[\u001b\u0085]/)
      }
    ))

  test('a message that quotes them says them in one annotation', () =>
    refuse(
      {
        files: [
          link('boot/vmlinuz-1.0', 'gone'),
          folder('boot/\n::set-output name=image::pwned'),
          folder('boot/##[add-mask]kernel')
        ]
      },
      'Not a bootable system',
      'No kernel in the image'
    ))

  test('a kernel with a name that the loader cannot read is refused', () =>
    refuse(
      { files: [file('boot/vmlinuz-9 ##[error]pwned', 'kernel')] },
      'Unusable kernel name',
      'The boot loader cannot name'
    ))

  test('names like options at the root of the tree are names', () => {
    const names = [
      '-rf',
      '--checkpoint=1',
      '--checkpoint-action=exec=touch pwned',
      '--to-command=touch pwned',
      '-exec',
      '$(touch pwned)',
      '`touch pwned`',
      ';touch pwned',
      '*'
    ]
    return accept({ files: names.map(name => file(name, name)) }, at => {
      for (const name of names) expect(read(at, name)).toBe(name)
    })
  })

  test('names of 255 bytes, nearly 4 KiB deep', () => {
    const deep = Array.from({ length: 14 }, (_, i) => `${i % 10}`.repeat(255)).join('/')
    return accept({ files: [file(`${deep}/file`, 'deep')] }, at => {
      expect(read(at, `${deep}/file`)).toBe('deep')
    })
  })
})

describe('privileges and sizes', () => {
  test('setuid programs and devices are kept for the guest, and inert on the host', () =>
    accept(
      {
        files: [
          file('bin/setuid', 'x', 0o4755),
          file('bin/setgid', 'x', 0o2755),
          device('disk', 'block', 8, 0),
          device('mem', 'character', 1, 1)
        ]
      },
      at => {
        expect(stat(at, '%a', 'bin/setuid')).toBe('4755')
        expect(stat(at, '%a', 'bin/setgid')).toBe('2755')
        expect(stat(at, '%F %t:%T', 'disk')).toBe('block special file 8:0')
        expect(stat(at, '%F %t:%T', 'mem')).toBe('character special file 1:1')
      }
    ))

  test('a sparse file of 1 TiB keeps its holes', () =>
    accept(
      {
        files: [file('var/x')],
        layer: layer => asRoot('truncate', '--size', '1T', join(layer, 'var/sparse'))
      },
      (at, run) => {
        expect(stat(at, '%s %b', 'var/sparse')).toBe(`${1024 ** 4} 0`)
        expect(Number(run.outputs['size-bytes'])).toBeLessThan(1024 ** 3)
      }
    ))

  test('100,000 files', () => {
    function* files(): Generator<TarFile> {
      yield* withFiles([])
      for (let i = 0; i < 100_000; i++) yield file(`many/${i % 1000}/${i}`)
    }
    return accept({ files }, (at, run) => {
      expect(asRoot('find', join(at, 'many'), '-type', 'f', '-printf', '.').length).toBe(100_000)
      expect(run.peakRssBytes).toBeLessThan(300 * 1024 ** 2)
      process.stderr.write(
        `100,000 files: ${run.seconds.toFixed(1)} s, ${(run.peakRssBytes / 2 ** 20).toFixed(0)} MiB\n`
      )
    })
  })
})

test.each([
  ['climbing', file('../../../../../../tmp/pwned', 'x')],
  ['absolute', file('/pwned', 'x')]
])('archives with %s names are cut by Docker itself', async (_, hostile) => {
  cases++
  const before = hostState()
  await importImage(TAG, withFiles([hostile])).catch(error =>
    expect(String(error)).toMatch(/breakout|invalid/i)
  )
  expect(hostState()).toEqual(before)
  try {
    removeImage(TAG)
  } catch {
    // was not made
  }
})

describe('read by docker export', () => {
  // An engine that maps user ids, as far as this client tells.
  const shims = mkdtempSync(join(tmpdir(), 'shims-'))
  const real = execFileSync('which', ['docker'], { encoding: 'utf8' }).trim()
  writeFileSync(
    join(shims, 'docker'),
    `#!/bin/sh\nif [ "$1" = info ]; then echo '["name=userns"]'; else exec ${real} "$@"; fi\n`,
    { mode: 0o755 }
  )
  chmodSync(shims, 0o755)
  const path = `${shims}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`
  afterAll(() => rmSync(shims, { recursive: true }))

  test('links to the host are replaced', () =>
    accept(
      {
        path,
        files: [
          link('etc/fstab', inCanary('fstab')),
          link('boot/extlinux/ldlinux.sys', inCanary('ldlinux.sys')),
          link('boot/extlinux/syslinux.cfg', climb('syslinux.cfg')),
          file('--checkpoint-action=exec=touch pwned', 'x')
        ]
      },
      (at, run) => {
        expect(run.log).toContain('read with docker export')
        expect(stat(at, '%F', 'boot/extlinux/ldlinux.sys')).toBe('regular file')
        expect(read(at, 'etc/fstab')).not.toContain('canary')
      }
    ))

  test('names that are no UTF-8 cannot pass for others', () =>
    refuse(
      {
        path,
        inputs: { 'root-password': '' },
        files: [
          ...Array.from({ length: 8 }, (_, i) => folder(`b${String.fromCharCode(i + 1)}`)),
          link('b\ufffd', canary),
          link('boot', 'b\ufffd'),
          file('vmlinuz', 'kernel')
        ]
      },
      'Unusable root filesystem',
      '/boot/extlinux/syslinux.cfg has to be written, but'
    ))

  test('a file larger than the disk ends the reading at once', () =>
    refuse(
      {
        path,
        files: [file('var/x')],
        layer: layer => asRoot('truncate', '--size', '1T', join(layer, 'var/sparse'))
      },
      'Not enough disk space',
      /has .* free, but the image's files take more/
    ))
})

test('whatever was mounted was mounted nodev, nosuid, noexec', () => {
  expect(mountsSeen).toBeGreaterThan(20)
})
