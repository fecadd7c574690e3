import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { asRoot, inImage, useBench } from '../support/e2e.ts'

const bench = useBench('debian:bookworm', 'alpine:3.20')

test('of two kernels the newer boots, and the older is in the menu', async () => {
  const run = await bench.succeed({
    checkout: bench.alpineWith(
      'RUN cd /boot && release=$(ls /lib/modules) && mv vmlinuz-virt vmlinuz-$release && mv initramfs-virt initrd.img-$release' +
        ' && cp vmlinuz-$release vmlinuz-5.10.0-9-cloud-amd64 && cp initrd.img-$release initrd.img-5.10.0-9-cloud-amd64'
    ),
    inputs: { name: 'kernels', formats: 'raw', 'upload-artifact': 'false' }
  })
  const newest = run.outputs['kernel-version'] ?? ''
  expect(newest).toMatch(/^6\./)
  expect(run.log).toMatch(/^Older kernel, in the boot menu: 5\.10\.0-9-cloud-amd64/m)
  const console = readFileSync(run.outputs['serial-log'] ?? '', 'latin1')
  expect(console).toContain(`BOOT_IMAGE=/boot/vmlinuz-${newest}`)
  // The menu on the serial line waits for whoever wants the older.
  expect(console).toMatch(/Automatic boot in/)
  inImage(run.outputs.image ?? '', at => {
    const config = asRoot('cat', join(at, 'boot/extlinux/syslinux.cfg'))
    expect(config).toMatch(/^UI menu\.c32$/m)
    expect(config.match(/^ {2}(?:MENU LABEL|LINUX|INITRD) .*$/gm)).toEqual([
      `  MENU LABEL Linux ${newest}`,
      `  LINUX /boot/vmlinuz-${newest}`,
      `  INITRD /boot/initrd.img-${newest}`,
      '  MENU LABEL Linux 5.10.0-9-cloud-amd64',
      '  LINUX /boot/vmlinuz-5.10.0-9-cloud-amd64',
      '  INITRD /boot/initrd.img-5.10.0-9-cloud-amd64'
    ])
  })
})

test('a kernel without an initrd boots from a disk whose driver is built in', async () => {
  const run = await bench.succeed({
    checkout: bench.alpineWith('RUN rm /boot/initramfs-virt'),
    inputs: { name: 'no-initrd', formats: 'raw', 'upload-artifact': 'false' }
  })
  expect(run.log).toMatch(/^Initrd: none$/m)
  // Of the disk drivers, Debian's cloud kernel has that of NVMe built in.
  expect(run.log).toContain("The kernel has no driver for a virtio disk: the boot check's disk is on nvme.")
  expect(readFileSync(run.outputs['serial-log'] ?? '', 'latin1')).toMatch(
    /Kernel command line: .* root=PARTUUID=[0-9a-f]{8}-01 rootfstype=ext4 rw rootwait /
  )
})

test('a kernel without an initrd, whose drivers are modules, is refused with the reason', async () => {
  const { title, message } = await bench.fail({
    // As in a kernel that has NVMe as a module.
    checkout: bench.alpineWith(
      'RUN rm /boot/initramfs-virt && sed -i /nvme/d /lib/modules/*/modules.builtin'
    ),
    inputs: { 'install-system': 'never', 'boot-test': 'false', 'upload-artifact': 'false' }
  })
  expect(title).toBe('Not a bootable system')
  expect(message).toMatch(
    /^The kernel 6\.1\.0-\d+-cloud-amd64 \(\/boot\/vmlinuz-virt\) has no initrd, and no driver built in for any disk \(virtio, sata, nvme, scsi\)\.\nThe image is Alpine Linux v3\.20; set install-system to auto, or add to the Dockerfile:\nRUN apk add --no-cache mkinitfs && /
  )
})
