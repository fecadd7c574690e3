import { execFileSync } from 'node:child_process'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { bootImage } from '../support/boot.ts'
import { ALPINE, sha256, useBench } from '../support/e2e.ts'

const bench = useBench('debian:bookworm', 'alpine:3.20')

test('every format holds the same disk', async () => {
  const run = await bench.succeed({
    checkout: ALPINE,
    inputs: {
      formats: 'raw qcow2 vmdk vdi vhd vhdx raw.zst raw.gz raw.xz qcow2.zst',
      'boot-test': 'false',
      'upload-artifact': 'false',
      name: 'all'
    }
  })
  const files = (run.outputs.files ?? '').split('\n')
  expect(files.map(file => file.split('/').pop())).toEqual([
    ...['all.raw', 'all.qcow2', 'all.vmdk', 'all.vdi', 'all.vhd', 'all.vhdx'],
    ...['all.raw.zst', 'all.raw.gz', 'all.raw.xz', 'all.qcow2.zst', 'SHA256SUMS']
  ])
  const [raw = '', qcow2 = '', , , vhd = ''] = files
  const drivers = { qcow2: 'qcow2', vmdk: 'vmdk', vdi: 'vdi', vhd: 'vpc', vhdx: 'vhdx' }
  for (const [i, driver] of Object.values(drivers).entries()) {
    const file = files[i + 1] ?? ''
    expect(
      execFileSync('qemu-img', ['compare', '-f', 'raw', '-F', driver, raw, file], { encoding: 'utf8' })
    ).toContain('Images are identical')
    // Azure takes a vhd only if its size is whole MiB.
    const size = JSON.parse(
      execFileSync('qemu-img', ['info', '--output=json', '-f', driver, file], { encoding: 'utf8' })
    )['virtual-size']
    expect(size).toBe(statSync(raw).size)
    expect(size % 1024 ** 2).toBe(0)
  }
  // Fixed size: the disk and a footer of 512 bytes that begins with its cookie.
  expect(statSync(vhd).size).toBe(statSync(raw).size + 512)
  expect(statSync(vhd).blocks * 512).toBeLessThan(statSync(vhd).size * 0.7)
  expect(readFileSync(vhd).subarray(-512).toString('latin1', 0, 8)).toBe('conectix')
  expect(execFileSync('qemu-img', ['info', qcow2], { encoding: 'utf8' })).toContain('compression type: zstd')
  for (const [file, program, original] of [
    [files[6], 'zstd', raw],
    [files[7], 'gzip', raw],
    [files[8], 'xz', raw],
    [files[9], 'zstd', qcow2]
  ] as const) {
    const unpacked = join(run.root, 'unpacked')
    writeFileSync(unpacked, execFileSync(program, ['-dc', file ?? ''], { maxBuffer: 2 ** 30 }))
    expect(await sha256(unpacked)).toBe(await sha256(original))
  }
  await bootImage(files[3] ?? '', 'vdi', 'virtio', /all login: $/, 120)
})

test.each(['ext2', 'ext3'])('%s boots too', async filesystem => {
  const run = await bench.succeed({
    checkout: ALPINE,
    inputs: {
      filesystem,
      formats: 'qcow2.xz',
      'upload-artifact': 'false',
      name: filesystem,
      accelerator: 'tcg',
      'serial-console': 'true',
      size: '600M'
    }
  })
  expect(run.outputs['boot-result']).toBe('passed')
  expect(run.outputs.accelerator).toBe('tcg')
  expect(JSON.parse(readFileSync(run.outputs.report ?? '', 'utf8')).disk).toMatchObject({
    filesystem,
    sizeBytes: 600 * 1024 ** 2
  })
})
