import { kernelCommandLine, planLoader, syslinuxConfig } from '../../src/bootloader.ts'
import { planDisk } from '../../src/disk.ts'
import { sketchIndex } from '../support/tree.ts'

const plan = planDisk(
  { inodes: 10, bytes: 1 << 20 },
  { sizeBytes: null, extraSpaceBytes: 0, filesystem: 'ext4' }
)
const kernel = { path: 'boot/vmlinuz-6.1', version: '6.1', initrd: 'boot/initrd.img-6.1' }
const bare = { path: 'boot/bzImage', version: '5.4', initrd: null }

test.each([
  [
    'with an initrd',
    kernel,
    { serialConsole: true, kernelArgs: '' },
    `root=UUID=${plan.uuid} rootfstype=ext4 rw console=tty0 console=ttyS0,115200`
  ],
  [
    'without one',
    bare,
    { serialConsole: true, kernelArgs: '' },
    `root=PARTUUID=${plan.diskId}-01 rootfstype=ext4 rw rootwait console=tty0 console=ttyS0,115200`
  ],
  [
    'without a serial console',
    kernel,
    { serialConsole: false, kernelArgs: 'quiet a=b' },
    `root=UUID=${plan.uuid} rootfstype=ext4 rw console=tty0 quiet a=b`
  ]
])('the command line %s', (_, which, options, line) => {
  expect(kernelCommandLine(plan, which, options)).toBe(line)
})

test('one kernel needs no menu', () => {
  expect(syslinuxConfig([{ kernel, commandLine: 'root=x' }], { serialConsole: true, menu: true })).toBe(
    `SERIAL 0 115200
DEFAULT linux
PROMPT 0

LABEL linux
  MENU LABEL Linux 6.1
  LINUX /boot/vmlinuz-6.1
  INITRD /boot/initrd.img-6.1
  APPEND root=x
`
  )
})

test('the first of several starts after three seconds', () => {
  const entries = [
    { kernel, commandLine: 'root=x' },
    { kernel: bare, commandLine: 'root=y' }
  ]
  expect(syslinuxConfig(entries, { serialConsole: false, menu: true })).toBe(
    `UI menu.c32
MENU TITLE Boot
DEFAULT linux
PROMPT 0
TIMEOUT 30

LABEL linux
  MENU LABEL Linux 6.1
  LINUX /boot/vmlinuz-6.1
  INITRD /boot/initrd.img-6.1
  APPEND root=x

LABEL linux-1
  MENU LABEL Linux 5.4
  LINUX /boot/bzImage
  APPEND root=y
`
  )
})

const options = { serialConsole: true, kernelArgs: '', moduleFolder: null }

test("what the image brings of a loader's files goes", () => {
  const index = sketchIndex({
    'boot/extlinux/extlinux.conf': 'x',
    'boot/extlinux/ldlinux.sys': '-> /etc/passwd',
    'boot/extlinux/theirs': 'x'
  })
  expect(planLoader(index, plan, [kernel], options).map(edit => `${edit.kind} ${edit.path}`)).toEqual([
    'file boot/extlinux/syslinux.cfg',
    'remove boot/extlinux/extlinux.conf',
    'remove boot/extlinux/ldlinux.sys'
  ])
})

test.each(['boot/vm linuz', 'boot/vmlinuz-ü', `boot/${'x'.repeat(300)}`, 'boot/a\nAPPEND init=/bin/sh'])(
  '%j is no name for the loader',
  path => {
    expect(() => planLoader(sketchIndex({}), plan, [{ ...kernel, path }], options)).toThrow(
      'rename it without blanks'
    )
  }
)
