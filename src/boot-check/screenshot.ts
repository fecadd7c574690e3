import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { crc32, deflateSync } from 'node:zlib'
import * as core from '@actions/core'
import { messageOf } from '../errors.ts'
import { inert } from '../text.ts'
import type { Monitor } from './monitor.ts'

const PNG_SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])

/**
 * A picture as PNG. QEMU writes PNG by itself only from 7.1 on and if it was built so; PPM it writes always.
 * @param ppm a binary PPM picture (P6) with 255 levels
 * @throws Error if it is none
 */
export function pngOf(ppm: Buffer): Buffer {
  const [header = '', columns, lines] =
    /^P6\s+(\d+)\s+(\d+)\s+255\s/.exec(ppm.toString('latin1', 0, 64)) ?? []
  const [width, height] = [Number(columns), Number(lines)]
  const pixels = ppm.subarray(header.length)
  if (header === '' || width * height === 0 || pixels.length < width * height * 3)
    throw new Error('QEMU wrote no picture')
  const rows = Array.from({ length: height }, (_, y) => [
    Buffer.from([0]), // no filter
    pixels.subarray(y * width * 3, (y + 1) * width * 3)
  ])
  const size = Buffer.alloc(13)
  size.writeUInt32BE(width, 0)
  size.writeUInt32BE(height, 4)
  size.set([8, 2], 8) // eight bits each of red, green, blue
  return Buffer.concat([
    PNG_SIGNATURE,
    chunk('IHDR', size),
    chunk('IDAT', deflateSync(Buffer.concat(rows.flat()))),
    chunk('IEND', Buffer.alloc(0))
  ])
}

function chunk(type: string, data: Buffer): Buffer {
  const content = Buffer.concat([Buffer.from(type), data])
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)]
  length.writeUInt32BE(data.length)
  check.writeUInt32BE(crc32(content))
  return Buffer.concat([length, content, check])
}

/**
 * Saves what the machine's display shows. Without it the verdict stands all the same: a failure is only told.
 * @param path of the PNG; its folder is the one that QEMU runs in
 */
export async function takeScreenshot(monitor: Monitor, path: string): Promise<void> {
  const ppm = `${path}.ppm`
  try {
    await monitor.execute('screendump', { filename: basename(ppm) })
    writeFileSync(path, pngOf(readFileSync(ppm)))
  } catch (error) {
    core.info(`No screenshot of the machine: ${inert(messageOf(error))}`)
  } finally {
    rmSync(ppm, { force: true })
  }
}
