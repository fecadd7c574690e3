import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inflateSync } from 'node:zlib'
import { parse, type TestSuites } from 'junit2json'
import type { BootResult } from '../../src/boot-check/boot-check.ts'
import type { Phase } from '../../src/boot-check/phases.ts'
import { ALPINE, asRoot, inImage, sha256, useBench } from '../support/e2e.ts'
import type { RunResult } from '../support/runner.ts'

const bench = useBench('debian:bookworm', 'alpine:3.20')

/** Width, height and number of colours of a PNG of 8 bits each of red, green and blue. */
function look(path: string): { width: number; height: number; colours: number } {
  const png = readFileSync(path)
  expect(png.subarray(0, 8).toString('latin1')).toBe('\u0089PNG\r\n\u001a\n')
  const [width, height] = [png.readUInt32BE(16), png.readUInt32BE(20)]
  const rows = inflateSync(png.subarray(41, 41 + png.readUInt32BE(33)))
  expect(rows.length).toBe(height * (1 + width * 3))
  const colours = new Set<number>()
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) colours.add(rows.readUIntBE(y * (1 + width * 3) + 1 + x * 3, 3))
  return { width, height, colours: colours.size }
}

/** Programs of a machine on the network with a service on port 8080 that comes up ten seconds after login. */
const SERVICE = `RUN printf '%s\\n' '#!/bin/sh' 'while read -r line && [ \${#line} -gt 1 ]; do :; done' 'printf "HTTP/1.0 204 No Content\\r\\n\\r\\n"' > /bin/answer \\
 && printf '%s\\n' '#!/bin/sh' 'nic=$(ls /sys/class/net | grep ^e)' 'ip link set $nic up' 'ip address add 10.0.2.15/24 dev $nic' \\
   'nc -lk -p 22 -e /bin/cat &' 'sleep 12' 'exec nc -lk -p 8080 -e /bin/answer' > /bin/service \\
 && chmod +x /bin/answer /bin/service && echo '::once:/bin/service' >> /etc/inittab`

test('a service that comes up ten seconds after the login prompt is waited for, on two machines', async () => {
  const run = await bench.succeed({
    checkout: bench.alpineWith(SERVICE),
    inputs: {
      name: 'late',
      'boot-matrix': 'virtio,nvme',
      'boot-timeout': '90',
      'expect-port': '22',
      'expect-http': '8080/healthz=204'
    }
  })
  const { boot } = JSON.parse(readFileSync(run.outputs.report ?? '', 'utf8'))
  const machines: BootResult[] = boot.machines
  expect(machines.map(({ devices }) => devices.diskBus)).toEqual(['virtio', 'nvme'])
  expect(readFileSync(run.outputs['serial-log'] ?? '', 'utf8')).toMatch(
    /^=== Machine 1 of 2: disk on virtio, [\s\S]* vda: vda1[\s\S]*\n=== Machine 2 of 2: disk on nvme, [\s\S]* nvme0n1: p1/
  )
  for (const { checks } of machines) {
    const seconds = Object.fromEntries(checks.map(({ name, seconds }) => [name, seconds]))
    expect(seconds['expect-http 8080/healthz=204']).toBeGreaterThan(5)
    expect(seconds['expect-port 22']).toBeLessThan(seconds['expect-http 8080/healthz=204'] ?? 0)
  }
  const { width, colours } = look(run.outputs.screenshot ?? '')
  expect(width).toBeGreaterThanOrEqual(640)
  expect(colours).toBeGreaterThan(1)
  expect(bench.results.artifacts.get('late.screenshot.png')?.size).toBe(
    statSync(run.outputs.screenshot ?? '').size
  )
  expect(run.summary).toContain('| expect-http 8080/healthz=204, disk on nvme | holds after ')
})

test('services that never come up fail the check, each with the last answer', async () => {
  const { message, run } = await bench.fail({
    checkout: bench.alpineWith(SERVICE.replace('sleep 12', 'sleep 0')),
    inputs: {
      name: 'never',
      'disk-bus': 'scsi',
      'boot-timeout': '20',
      'expect-port': '22\n23',
      'expect-http': '8080/healthz=200\n8081/=200\n22/=200'
    }
  })
  expect(message).toMatch(/^The image boots with its disk on scsi, network card virtio, but a check failed: /)
  for (const part of [
    'expect-port 23: nothing listens there',
    'expect-http 8080/healthz=200: the answer is 204',
    'expect-http 8081/=200: nothing listens there',
    'expect-http 22/=200: the answer is not HTTP'
  ])
    expect(message).toContain(part)
  expect(message).not.toContain('expect-port 22:')
  expect(run.outputs.image).toBeUndefined()
  expect([...bench.results.artifacts.keys()].filter(name => name.startsWith('never'))).toEqual([
    'never.console.log',
    'never.screenshot.png'
  ])
  expect(look(run.outputs.screenshot ?? '').colours).toBeGreaterThan(1)
})

test('a kernel without a driver for the disk is warned of, and fails on that machine', async () => {
  const { message, run } = await bench.fail({
    checkout: ALPINE,
    inputs: { name: 'sata', 'disk-bus': 'sata', 'kernel-args': 'rootdelay=1', accelerator: 'tcg' }
  })
  expect(run.annotations).toContainEqual(
    expect.objectContaining({
      level: 'warning',
      message: 'The kernel has no ahci, which a disk on sata needs: it may not boot.'
    })
  )
  expect(message).toMatch(/^The image does not boot with its disk on sata, network card virtio: .* root/)
})

test('budgets say by how much they are exceeded', async () => {
  const slow = await bench.fail({ checkout: ALPINE, inputs: { name: 'slow', 'max-boot-seconds': '1' } })
  expect(slow.title).toBe('Boot check failed')
  expect(slow.message).toMatch(
    /^The image boots, but a check failed: The boot took \d+\.\d seconds more than max-boot-seconds \(1\) allows\. \(after /
  )
  const large = await bench.fail({
    checkout: ALPINE,
    inputs: { name: 'large', 'boot-test': 'false', 'max-image-size': '1M' }
  })
  expect(large.title).toBe('Image too large')
  expect(large.message).toMatch(
    /^large\.qcow2 has \d+\.\d MiB, \d+\.\d MiB more than max-image-size \(1\.0 MiB\) allows\. /
  )
  for (const { run } of [slow, large]) expect(run.outputs.image).toBeUndefined()
  expect([...bench.results.artifacts.keys()].filter(name => /^(slow|large)/.test(name))).toEqual([
    'slow.console.log',
    'slow.screenshot.png'
  ])
})

/** As a reader of test results has them: names and failures of the cases. */
async function casesOf(run: RunResult): Promise<[name: string, failure: string | null][]> {
  const read = (await parse(readFileSync(run.outputs.junit ?? '', 'utf8'))) as TestSuites
  return (read.testsuite ?? []).flatMap(suite =>
    (suite.testcase ?? []).map(({ name, failure }): [string, string | null] => [
      name ?? '',
      failure?.[0]?.message ?? null
    ])
  )
}

describe('a runner that is too busy for the machine to have a timer', () => {
  /** QEMU whose machines have none, the first time or each time. */
  const timeless = (times: number): string => {
    const count = join(bench.context(''), 'count')
    writeFileSync(count, '')
    chmodSync(count, 0o666)
    return bench.pathWith(
      'qemu-system-x86_64',
      `echo >> ${count}\n[ $(wc -l < ${count}) -gt ${times} ] || set -- "$@" -machine hpet=off,pit=off\nexec /usr/bin/qemu-system-x86_64 "$@"`
    )
  }
  const inputs = { accelerator: 'tcg', 'upload-artifact': 'false' }

  test('has no bearing on the image, which is started once more', async () => {
    const run = await bench.succeed({
      checkout: ALPINE,
      path: timeless(1),
      inputs: { ...inputs, name: 'once' }
    })
    expect(run.log).toMatch(
      /^The runner was too busy for the machine to have a timer that ticks: it is started once more\.$/m
    )
    expect(readFileSync(run.outputs['serial-log'] ?? '', 'utf8')).toMatch(
      /Kernel panic - not syncing: IO-APIC[\s\S]*\n=== The runner was too busy [\s\S]*once login:/
    )
    expect(await casesOf(run)).toEqual([['boot', null]])
  })

  test('is named if it stays so', async () => {
    const { message, run } = await bench.fail({
      checkout: ALPINE,
      path: timeless(9),
      inputs: { ...inputs, name: 'twice' }
    })
    expect(message).toMatch(
      /^The image does not boot: The kernel found no timer that ticks: IO-APIC \+ timer doesn't work\. \(after [\s\S]*add no_timer_check to kernel-args/
    )
    expect(run.outputs['boot-cause']).toBe('no-timer')
    expect((await casesOf(run)).map(([name]) => name)).toEqual(['boot'])
  })
})

describe('inside of the machine', () => {
  let checkout: string
  beforeAll(() => {
    checkout = bench.alpineWith('')
    mkdirSync(join(checkout, 'checks'))
    const ends = '#!/bin/busybox ash\necho "script $0 as $(id -un)"; test -w /etc/fstab\n'
    writeFileSync(join(checkout, 'checks', 'a file.sh'), ends)
  })
  const scripts = { 'test-scripts': 'checks/*.sh', 'upload-artifact': 'false' }

  test('scripts pass, a second boot sees what the first wrote, and the image has no trace of it', async () => {
    const before = join(bench.context(''), 'before')
    writeFileSync(before, '')
    chmodSync(before, 0o666)
    const run = await bench.succeed({
      checkout,
      // What is to be published, as it was when the machine was started.
      path: bench.pathWith(
        'qemu-system-x86_64',
        `[ -s ${before} ] || sha256sum disk.raw > ${before}\nexec /usr/bin/qemu-system-x86_64 "$@"`
      ),
      inputs: {
        ...scripts,
        name: 'tested',
        formats: 'raw',
        'test-script': 'echo "hello from $(hostname)"\nps',
        'check-persistence': 'true'
      }
    })
    expect(run.rawLog).toMatch(/^test │ hello from tested$/m)
    expect(run.rawLog).toMatch(/^test │ +1 root +\d+:\d\d .*init/m)
    expect(run.rawLog).toMatch(/^test │ script .* as root$/m)
    expect(await casesOf(run)).toEqual(
      ['boot', 'test-script', 'checks/a file.sh', 'second boot', 'check-persistence'].map(name => [
        name,
        null
      ])
    )
    inImage(run.outputs.image ?? '', at => {
      expect(readdirSync(at).filter(name => name.startsWith('.'))).toEqual([])
      expect(asRoot('cat', join(at, 'boot/extlinux/syslinux.cfg'))).not.toContain('init=/')
    })
    const { files } = JSON.parse(readFileSync(run.outputs.report ?? '', 'utf8'))
    expect(files[0].sha256).toBe(await sha256(run.outputs.image ?? ''))
    expect(readFileSync(before, 'utf8')).toBe(`${files[0].sha256}  disk.raw\n`)
  })

  test('the exit code of a script is the verdict', async () => {
    const { title, message, run } = await bench.fail({
      checkout,
      inputs: { ...scripts, name: 'red', 'test-script': 'echo its last words\nexit 7\necho never' }
    })
    expect(title).toBe('Boot check failed')
    expect(message).toMatch(
      /^The image boots, but a check failed: test-script failed with exit code 7\. \(after [\s\S]*\nThe output of test-script ends with:\n {2}its last words$/
    )
    expect(run.outputs.image).toBeUndefined()
    expect(await casesOf(run)).toEqual([
      ['boot', null],
      ['test-script', 'It failed with exit code 7.'],
      ['checks/a file.sh', null]
    ])
  })

  test('a script that does not end is not waited for, nor are those behind it', async () => {
    const { message, run } = await bench.fail({
      checkout,
      inputs: {
        ...scripts,
        name: 'hangs',
        accelerator: 'tcg',
        'test-script': 'echo waiting\nsleep 600',
        'test-timeout': '3'
      }
    })
    expect(message).toMatch(
      /^The image boots, but a check failed: test-script did not end within test-timeout \(3 seconds\)\. \(after [\s\S]*\n {2}waiting$/
    )
    expect(run.outputs).toMatchObject({ 'boot-result': 'failed', 'boot-cause': 'test-script' })
    expect((await casesOf(run)).map(([name]) => name)).toEqual(['boot', 'test-script'])
  })

  test('a root filesystem that stays read-only fails the persistence check, with the reason', async () => {
    const { message, run } = await bench.fail({
      checkout: bench.alpineWith("RUN sed -i 's/remount,rw/remount,ro/' /etc/inittab"),
      inputs: { name: 'ro', 'check-persistence': 'true', 'upload-artifact': 'false' }
    })
    expect(message).toMatch(
      /^The image boots, but a check failed: check-persistence: Writing a file to the root filesystem failed with exit code 1\. /
    )
    expect(message).toMatch(/Read-only file system\n.*mounted like this:\n.* \/ ext4 ro,/)
    expect(await casesOf(run)).toEqual([
      ['boot', null],
      ['check-persistence', 'Writing a file to the root filesystem failed with exit code 1.']
    ])
  })
})

describe('a unit of systemd that fails', () => {
  const checkout = (): string =>
    bench.context(`FROM debian:bookworm
RUN printf '%s\\n' '[Service]' 'ExecStart=/bin/sh -c "echo its last words; exit 3"' '[Install]' 'WantedBy=multi-user.target' > /etc/systemd/system/fails.service \\
 && ln -s /etc/systemd/system/fails.service /etc/systemd/system/multi-user.target.wants/
`)

  test('is listed, and the image is good', async () => {
    const run = await bench.succeed({
      checkout: checkout(),
      inputs: {
        name: 'listed',
        formats: 'raw',
        'upload-artifact': 'false',
        'test-script': 'cat /proc/1/comm',
        'check-persistence': 'true'
      }
    })
    expect(run.rawLog).toMatch(/^test │ systemd$/m)
    expect(run.annotations).toContainEqual(
      expect.objectContaining({
        level: 'warning',
        message: 'The system is up, but these units failed: fails.service'
      })
    )
    expect(run.summary).toContain('| Failed units | fails.service |')
    const { boot } = JSON.parse(readFileSync(run.outputs.report ?? '', 'utf8'))
    expect(boot.failedUnits).toEqual(['fails.service'])
    const phases: Phase[] = boot.phases
    expect(phases.map(({ name }) => name)).toEqual([
      'firmware',
      'loader',
      'kernel',
      'initrd',
      'init',
      'login'
    ])
    for (const { seconds } of phases.slice(0, -1)) expect(seconds).toBeGreaterThan(0)
    expect(phases.reduce((sum, { seconds }) => sum + seconds, 0)).toBeCloseTo(boot.seconds, 1)
  })

  test('fails the check where that is asked for, with what it said', async () => {
    const { message, run } = await bench.fail({
      checkout: checkout(),
      inputs: { name: 'failing', 'fail-on-failed-units': 'true' }
    })
    expect(message).toMatch(
      /^The image boots, but a check failed: fail-on-failed-units: fails\.service failed\. \(after .*\n.*systemctl disable/
    )
    expect(message).toContain('  its last words')
    expect(await casesOf(run)).toEqual([
      ['boot', null],
      ['fail-on-failed-units', 'fails.service failed.']
    ])
    expect(run.outputs.image).toBeUndefined()
    expect([...bench.results.artifacts.keys()].filter(name => name.startsWith('failing'))).toEqual([
      'failing.console.log',
      'failing.screenshot.png'
    ])
  })
})
