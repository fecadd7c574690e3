import { mkfsArgv, partuuid, planDisk, sfdiskScript } from '../../src/disk.ts'

const MIB = 1024 ** 2
const tree = { inodes: 13_000, bytes: 850 * MIB }
const auto = { sizeBytes: null, extraSpaceBytes: 256 * MIB, filesystem: 'ext4' } as const

test('a fitted disk is whole MiB with one partition from sector 2048 to its end', () => {
  const plan = planDisk(tree, auto)
  expect(plan.sizeBytes % MIB).toBe(0)
  expect(plan.partition).toEqual({ startSector: 2048, sectors: plan.sizeBytes / 512 - 2048 })
  expect(plan.sizeBytes).toBeGreaterThan((850 + 256) * MIB)
  expect(plan.sizeBytes).toBeLessThan((850 + 256) * 1.15 * MIB)
})

test('ids are random and well formed', () => {
  const [one, two] = [planDisk(tree, auto), planDisk(tree, auto)]
  expect(one.diskId).toMatch(/^[0-9a-f]{8}$/)
  expect(one.uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  expect(partuuid(one)).toBe(`${one.diskId}-01`)
  expect(one.diskId).not.toBe(two.diskId)
  expect(one.uuid).not.toBe(two.uuid)
})

test('a size asked for is the size made', () => {
  expect(planDisk(tree, { ...auto, sizeBytes: 2048 * MIB }).sizeBytes).toBe(2048 * MIB)
})

test('a size too small is refused with both numbers, and the number named is enough', () => {
  const size = { ...auto, sizeBytes: 500 * MIB }
  const message = (() => {
    try {
      planDisk(tree, size)
    } catch (error) {
      return (error as Error).message
    }
    return ''
  })()
  expect(message).toMatch(
    /^Input size is 500 MiB \(524288000 bytes\), but the content needs a disk of at least \d+ MiB \(\d+ bytes\): set size to \d+M or more, or to auto\.$/
  )
  const named = Number(/set size to (\d+)M/.exec(message)?.[1])
  expect(planDisk(tree, { ...auto, sizeBytes: named * MIB }).sizeBytes).toBe(named * MIB)
  expect(() => planDisk(tree, { ...auto, sizeBytes: (named - 1) * MIB })).toThrow('Input size is')
})

test('many small files get the inodes that they need', () => {
  expect(planDisk({ inodes: 1_000_000, bytes: 1_000_000 * 4096 }, auto).inodes).toBeGreaterThan(1_050_000)
})

test.each([
  ['ext4', 64],
  ['ext3', 64],
  ['ext2', 0]
] as const)('the journal of %s', (filesystem, journalMiB) => {
  expect(planDisk({ inodes: 10, bytes: 3000 * MIB }, { ...auto, filesystem }).journalMiB).toBe(journalMiB)
})

const PLAN = {
  sizeBytes: 101 * MIB,
  partition: { startSector: 2048, sectors: 204_800 },
  diskId: '0badcafe',
  filesystem: 'ext4',
  uuid: '11111111-2222-4333-8444-555555555555',
  label: 'root',
  inodes: 6400,
  journalMiB: 4
} as const

test('the partition table', () => {
  expect(sfdiskScript(PLAN)).toBe(
    'label: dos\nlabel-id: 0x0badcafe\nunit: sectors\n\nstart=2048, size=204800, type=83, bootable\n'
  )
})

test('the filesystem has explicit features only', () => {
  const argv = mkfsArgv(PLAN, '/w/disk.raw', true)
  expect(argv).toEqual([
    ...['mke2fs', '-q', '-F', '-t', 'ext4', '-b', '4096', '-I', '256', '-m', '1', '-O'],
    'none,has_journal,ext_attr,resize_inode,dir_index,filetype,sparse_super,large_file,extent,flex_bg,huge_file,uninit_bg,dir_nlink,extra_isize',
    ...['-N', '6400', '-J', 'size=4', '-U', PLAN.uuid, '-L', 'root', '-E'],
    'offset=1048576,nodiscard,root_owner=0:0,lazy_journal_init=1,assume_storage_prezeroed=1',
    ...['--', '/w/disk.raw', '102400k']
  ])
  expect(mkfsArgv(PLAN, '/w/disk.raw', false)).toContain(
    'offset=1048576,nodiscard,root_owner=0:0,lazy_journal_init=1,lazy_itable_init=1'
  )
})
