import { lacksDiskDriver, planDevices } from '../../src/boot-check/devices.ts'
import type { Drivers } from '../../src/distro/disk-buses.ts'
import { missingForRoot, readDrivers } from '../../src/distro/drivers.ts'
import { TreeIndex } from '../../src/tree.ts'

const AUTO = { diskBus: 'auto', networkCard: 'auto', matrix: [] } as const
/** Drivers all of which are there from the start. */
const known = (names: readonly string[]): Drivers => ({ early: new Set(names), all: new Set(names) })
const VIRTIO = ['virtio_blk', 'virtio_net', 'virtio_pci']

test.each<[string[] | null, string, string]>([
  [null, 'virtio', 'virtio'],
  [VIRTIO, 'virtio', 'virtio'],
  [['ahci', 'sd_mod', 'e1000', ...VIRTIO], 'virtio', 'virtio'],
  [['ahci', 'sd_mod', 'e1000'], 'sata', 'e1000'],
  [['ahci', 'nvme', 'e1000e'], 'nvme', 'e1000e'],
  [['virtio_blk', 'ahci', 'sd_mod', 'vmxnet3'], 'sata', 'vmxnet3'],
  [['virtio_scsi', 'virtio_pci', 'sd_mod'], 'scsi', 'virtio'],
  [[], 'virtio', 'virtio']
])('a kernel with %j boots from %s with the card %s', (names, diskBus, networkCard) => {
  const drivers = names === null ? null : known(names)
  expect(planDevices(AUTO, drivers)).toEqual([{ diskBus, networkCard }])
})

test('what the user says counts, and is warned of', () => {
  const drivers = known(VIRTIO)
  expect(planDevices({ ...AUTO, diskBus: 'sata', networkCard: 'e1000' }, drivers)).toEqual([
    { diskBus: 'sata', networkCard: 'e1000' }
  ])
  const machines = planDevices({ ...AUTO, matrix: ['nvme', 'virtio'] }, drivers)
  expect(machines.map(({ diskBus }) => diskBus)).toEqual(['nvme', 'virtio'])
  expect(machines.map(machine => lacksDiskDriver(machine, drivers))).toEqual([['nvme'], []])
  expect(machines.map(machine => lacksDiskDriver(machine, null))).toEqual([[], []])
})

describe('drivers of a kernel in a tree', () => {
  const ROOT = { mode: 0o755, uid: 0, gid: 0, link: null }
  function treeOf(files: readonly string[], link?: [path: string, target: string]): TreeIndex {
    const index = new TreeIndex()
    for (const file of files) {
      const names = file.split('/')
      for (let depth = 1; depth < names.length; depth++)
        index.add(names.slice(0, depth).join('/'), { ...ROOT, kind: 'd', size: 0 }, 0, true)
      index.add(file, { ...ROOT, kind: 'f', size: 9 }, 0, true)
    }
    if (link) index.add(link[0], { ...ROOT, kind: 'l', size: 9, link: link[1] }, 0, true)
    return index
  }
  const FOLDER = 'usr/lib/modules/6.1.0'
  const MODULES = [
    `${FOLDER}/modules.builtin`,
    `${FOLDER}/kernel/drivers/block/virtio_blk.ko.xz`,
    `${FOLDER}/kernel/drivers/net/virtio-net.ko`,
    `${FOLDER}/kernel/drivers/readme`
  ]
  const BUILT_IN = 'kernel/drivers/virtio/virtio_pci.ko\nkernel/drivers/scsi/sd_mod.ko\n'
  const read =
    (content: string | null) =>
    async (path: string): Promise<Buffer | null> => {
      expect(path).toBe(`${FOLDER}/modules.builtin`)
      return content === null ? null : Buffer.from(content)
    }

  test('modules and what is built in, through a merged /usr', async () => {
    const drivers = await readDrivers(
      { index: treeOf(MODULES, ['lib', 'usr/lib']), read: read(BUILT_IN) },
      { version: '6.1.0', initrd: 'boot/initrd' }
    )
    expect(drivers?.early).toEqual(drivers?.all)
    expect([...(drivers?.all ?? [])]).toEqual(
      expect.arrayContaining(['virtio_blk', 'virtio_net', 'virtio_pci', 'sd_mod'])
    )
  })

  test('without an initrd, the root is found by what is built in', async () => {
    const drivers = await readDrivers(
      { index: treeOf(MODULES), read: read(BUILT_IN) },
      { version: '6.1.0', initrd: null }
    )
    expect(drivers?.early.has('virtio_blk')).toBe(false)
    expect(drivers?.early.has('sd_mod')).toBe(true)
    expect(drivers?.all.has('virtio_blk')).toBe(true)
    // Debian's cloud kernel: NVMe is built in, virtio is not.
    const cloud = { early: new Set(['nvme', 'ext4']), all: new Set(['nvme', 'ext4', ...VIRTIO]) }
    expect(planDevices(AUTO, cloud)).toEqual([{ diskBus: 'nvme', networkCard: 'virtio' }])
  })

  test.each([
    ['another release', MODULES, '6.2.0', BUILT_IN],
    ['no release', MODULES, '', BUILT_IN],
    ['no list of what is built in', MODULES.slice(1), '6.1.0', BUILT_IN],
    ['a list that cannot be read', MODULES, '6.1.0', null]
  ])('%s: nothing is known', async (_, files, release, content) => {
    expect(
      await readDrivers({ index: treeOf(files), read: read(content) }, { version: release, initrd: null })
    ).toBeNull()
  })
})

test.each([
  ['all of virtio', ['ext4', 'virtio_blk', 'virtio_pci'], null],
  ['SATA', ['ext4', 'ahci', 'sd_mod'], null],
  ['the older driver', ['ext2', 'nvme'], null],
  ['no filesystem', ['nvme'], 'the filesystem (ext2)'],
  ['a disk without its bus', ['ext4', 'virtio_blk'], 'any disk (virtio, sata, nvme, scsi)'],
  ['neither', ['ext4x'], 'the filesystem (ext2) and any disk (virtio, sata, nvme, scsi)']
])('a root of ext2 needs drivers: %s', (_, names, missing) => {
  expect(missingForRoot(known(names), 'ext2')).toBe(missing)
})
