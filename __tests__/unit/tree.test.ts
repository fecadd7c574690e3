import { placeOf } from '../../src/edits.ts'
import { FindParser, isExact, type TreeIndex } from '../../src/tree.ts'
import { sketchIndex } from '../support/tree.ts'

describe('resolving paths inside the tree', () => {
  const index = sketchIndex({
    'etc/os-release': '-> ../usr/lib/os-release',
    'usr/lib/os-release': 'ID=x',
    'etc/absolute': '-> /usr/lib/os-release',
    'etc/climbing': '-> ../../../../../../usr/lib/os-release',
    'etc/dangling': '-> /nowhere/at/all',
    'etc/loop-a': '-> loop-b',
    'etc/loop-b': '-> loop-a',
    'etc/self': '-> self',
    'etc/proc': '-> /proc/self/root/etc/shadow',
    'etc/file': 'text',
    sbin: '-> usr/sbin',
    'usr/sbin/init': '-> /lib/systemd/systemd',
    lib: '-> usr/lib',
    'usr/lib/systemd/systemd': 100,
    'deep/er': '-> ../sbin'
  })

  test.each([
    ['etc/os-release', 'usr/lib/os-release'],
    ['etc/absolute', 'usr/lib/os-release'],
    ['etc/climbing', 'usr/lib/os-release'],
    ['sbin/init', 'usr/lib/systemd/systemd'],
    ['deep/er/init', 'usr/lib/systemd/systemd'],
    ['deep/er/../sbin/./init', 'usr/lib/systemd/systemd'],
    ['/etc//file', 'etc/file'],
    ['../../etc/file', 'etc/file'],
    ['', ''],
    ['etc/dangling', null],
    ['etc/loop-a', null],
    ['etc/self', null],
    ['etc/proc', null],
    ['etc/missing', null],
    ['etc/file/below', null]
  ])('%s leads to %s', (path, real) => {
    expect(index.resolve(path)).toBe(real)
  })

  test.each([
    ['etc/os-release', 'etc/os-release'],
    ['sbin/init', 'usr/sbin/init'],
    ['etc/new', 'etc/new'],
    ['etc/loop-a', 'etc/loop-a'],
    ['sbin', 'sbin'],
    ['nowhere/new', null],
    ['etc/dangling/new', null]
  ])('%s itself lies at %s', (path, real) => {
    expect(index.resolve(path, 'keep')).toBe(real)
  })

  test('chains of links end at 40, as in Linux', () => {
    const chain = (length: number): TreeIndex =>
      sketchIndex({
        ...Object.fromEntries(
          Array.from({ length }, (_, i) => [`l${i}`, i + 1 === length ? '-> end' : `-> l${i + 1}`])
        ),
        end: 'text'
      })
    expect(chain(40).resolve('l0')).toBe('end')
    expect(chain(41).resolve('l0')).toBeNull()
  })

  test('lists a folder through links', () => {
    expect(index.list('sbin')).toEqual(['init'])
    expect(index.list('lib')).toEqual(['os-release', 'systemd'])
    expect(index.list('etc/file')).toEqual([])
    expect(index.list('nowhere')).toEqual([])
  })
})

describe('reading what find prints', () => {
  const records = [
    ['d', '755', '0', '0', '4096', '8', '3', '1', '', ''],
    ['d', '1777', '0', '0', '4096', '8', '2', '2', 'tmp', ''],
    ['f', '4755', '1000', '100', '5000', '16', '2', '3', 'tmp/a\nb', ''],
    ['f', '4755', '1000', '100', '5000', '16', '2', '3', 'tmp/hard', ''],
    ['f', '644', '0', '0', '1099511627776', '8', '1', '4', 'tmp/sparse', ''],
    ['l', '777', '0', '0', '7', '0', '1', '5', 'tmp/link', '../x y ']
  ]
  const bytes = Buffer.from(
    records
      .flat()
      .map(field => `${field}\0`)
      .join('')
  )

  test.each([1, 3, 7, bytes.length])('in chunks of %i bytes', size => {
    const parser = new FindParser()
    for (let at = 0; at < bytes.length; at += size) parser.write(bytes.subarray(at, at + size))
    const { index } = parser
    expect(index.entry('tmp/a\nb')).toEqual({
      kind: 'f',
      mode: 0o4755,
      uid: 1000,
      gid: 100,
      size: 5000,
      link: null
    })
    expect(index.entry('tmp/link')?.link).toBe('../x y ')
    // The folder, one of the two names of a file of two blocks, and the one block that the sparse file has.
    expect(index.measure).toEqual({ inodes: 4, bytes: 4096 * (1 + 2 + 1) })
  })
})

test('a name that is no UTF-8 passes for no other', () => {
  const parser = new FindParser()
  const record = (kind: string, path: Buffer, link = ''): Buffer =>
    Buffer.concat([
      Buffer.from([kind, '755', '0', '0', '1', '0', '1', '1', ''].join('\0')),
      path,
      Buffer.from(`\0${link}\0`)
    ])
  const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')
  parser.write(record('l', Buffer.from('b\ufffd'), '/host'))
  parser.write(record('d', bytes('b\xff')))
  parser.write(record('l', bytes('boot'), 'b\ufffd'))
  const real = parser.index.resolve('boot/x', 'keep')
  expect(real === null || !isExact(real)).toBe(true)
  expect(() => placeOf(parser.index, 'boot/x')).toThrow(
    'leads through a name in the image that is not valid UTF-8'
  )
})
