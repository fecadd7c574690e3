import { inflateSync } from 'node:zlib'
import { pngOf } from '../../src/boot-check/screenshot.ts'

const PIXELS = Buffer.from([255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30, 40, 50, 60, 70, 80, 90])

test('a PPM picture as PNG', () => {
  const png = pngOf(Buffer.concat([Buffer.from('P6\n3 2\n255\n'), PIXELS]))
  expect(png.subarray(0, 8).toString('latin1')).toBe('\u0089PNG\r\n\u001a\n')
  expect(png.subarray(12, 16).toString()).toBe('IHDR')
  expect([png.readUInt32BE(16), png.readUInt32BE(20), ...png.subarray(24, 29)]).toEqual([3, 2, 8, 2, 0, 0, 0])
  const length = png.readUInt32BE(33)
  expect(inflateSync(png.subarray(41, 41 + length))).toEqual(
    Buffer.concat([Buffer.of(0), PIXELS.subarray(0, 9), Buffer.of(0), PIXELS.subarray(9)])
  )
  // The whole of the last chunk is the same in every PNG.
  expect(png.subarray(-12).toString('hex')).toBe('0000000049454e44ae426082')
})

test.each(['', 'P5\n1 1\n255\nx', 'P6\n2 2\n255\nshort', 'P6\n0 5\n255\n', 'P6\n1 1\n65535\nxxxxxx'])(
  '%j is no picture',
  text => {
    expect(() => pngOf(Buffer.from(text))).toThrow('QEMU wrote no picture')
  }
)
