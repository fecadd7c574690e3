import { placeOf } from '../../src/edits.ts'
import { sketchIndex } from '../support/tree.ts'

describe('where a file is written', () => {
  const index = sketchIndex({
    'usr/etc/x': 'x',
    etc: '-> usr/etc',
    absolute: '-> /usr',
    climbing: '-> ../../../tmp',
    tmp: null,
    file: 'x',
    folder: null,
    dangling: '-> /gone',
    device: 'device',
    'usr/etc/link': '-> /etc/shadow'
  })
  test.each([
    ['etc/new', 'usr/etc/new', []],
    ['etc/link', 'usr/etc/link', []],
    ['etc/a/b/c', 'usr/etc/a/b/c', ['usr/etc/a', 'usr/etc/a/b']],
    ['absolute/etc/x', 'usr/etc/x', []],
    ['climbing/x', 'tmp/x', []],
    ['brand/new', 'brand/new', ['brand']]
  ])('%s goes to %s', (path, real, missingFolders) => {
    expect(placeOf(index, path)).toEqual({ real, missingFolders })
  })
  test.each([
    ['file/x', '/file/x has to be written, but /file in the image is no folder.'],
    ['device/x', '/device/x has to be written, but /device in the image is no folder.'],
    ['dangling/x', '/dangling/x has to be written, but /dangling in the image is a link that leads nowhere.'],
    ['folder', '/folder has to be a file, but it is a folder in the image.']
  ])('%s is refused', (path, message) => {
    expect(() => placeOf(index, path)).toThrow(message)
  })
})
