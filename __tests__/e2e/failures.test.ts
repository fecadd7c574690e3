import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ALPINE, useBench } from '../support/e2e.ts'
import { WRONG } from '../support/wrong-inputs.ts'

const bench = useBench('debian:bookworm', 'alpine:3.20')

const QUICK = { 'boot-test': 'false', 'upload-artifact': 'false', formats: 'raw' }

describe('before anything runs', () => {
  test('wrong inputs are named all at once', async () => {
    const { title, message, run } = await bench.fail({
      checkout: ALPINE,
      inputs: { size: '2', formats: 'qcow3, iso', cpus: 'many' }
    })
    expect(title).toBe('Wrong input')
    expect(message.split('\n')).toEqual([
      'Input size is "2", but it has to be a number with a unit, such as 1500M, 2G or 2GiB.',
      'Input formats is "qcow3, iso", but each format has to be one of raw, qcow2, vmdk, vdi, vhd, vhdx, each also with .zst, .gz, .xz.',
      'Input cpus is "many", but it has to be a whole number of processors from 1 to 64.'
    ])
    expect(run.summary).toContain('## Wrong input')
    expect(run.seconds).toBeLessThan(3)
  })

  // One by one on the bundle: an error, an annotation, nothing else.
  test('each wrong value is named', async () => {
    const checkout = bench.context('FROM scratch\n')
    mkdirSync(join(checkout, 'sub folder'))
    writeFileSync(join(checkout, 'sub folder', 'Other'), 'FROM scratch\n')
    for (const [inputs, expected] of WRONG) {
      const { title, message } = await bench.fail({ checkout, inputs })
      expect(title).toBe('Wrong input')
      expect(message).toMatch(expected)
    }
  })

  test('no Dockerfile', async () => {
    const { message } = await bench.fail({
      checkout: bench.context(''),
      inputs: { file: 'docker/Dockerfile' }
    })
    expect(message).toMatch(
      /^Input file is "docker\/Dockerfile", but there is no file .*\/docker\/Dockerfile; give the path of the Dockerfile\.$/
    )
  })

  test('no Docker engine', async () => {
    const { title, message } = await bench.fail({
      checkout: ALPINE,
      env: { DOCKER_HOST: 'unix:///nonexistent.sock' }
    })
    expect(title).toBe('Unsuitable machine')
    expect(message).toMatch(
      /^The Docker engine does not answer: .*unix:\/\/\/nonexistent\.sock.* Start it, or add the user \w+ to the group docker\.$/
    )
  })

  test('no sudo', async () => {
    const { title, message } = await bench.fail({
      checkout: ALPINE,
      path: bench.pathWith('sudo', 'echo "sudo: a password is required" >&2; exit 1')
    })
    expect(title).toBe('Unsuitable machine')
    expect(message).toMatch(
      /^The user \w+ is not root and has no passwordless sudo, which mounting the image needs\. (Allow it in \/etc\/sudoers\.d on a self-hosted runner|The job runs in a container: remove container: from the job)\.$/
    )
  })
})

describe('building', () => {
  test('a Dockerfile that fails', async () => {
    const { title, message, run } = await bench.fail({
      checkout: bench.context('FROM alpine:3.20\nRUN echo the reason >&2; exit 3\n'),
      inputs: QUICK
    })
    expect(title).toBe('Docker build failed')
    expect(message).toMatch(/^The Docker build failed\. docker failed with exit code \d+:\n/)
    expect(run.log).toContain('the reason')
  })

  test('an image that cannot be had', async () => {
    const { title, message } = await bench.fail({
      inputs: { ...QUICK, image: 'docker-to-disk.invalid/none:1' }
    })
    expect(title).toBe('No such image')
    expect(message).toMatch(
      /^Input image is "docker-to-disk\.invalid\/none:1", which is neither present nor could be pulled\. docker failed/
    )
  })

  test('an image without kernel and init', async () => {
    const { title, message } = await bench.fail({
      inputs: { ...QUICK, image: 'debian:bookworm', 'install-system': 'never' }
    })
    expect(title).toBe('Not a bootable system')
    expect(message).toBe(
      [
        'No kernel in the image: looked for /boot/vmlinuz-*, /boot/*/*/linux, /vmlinuz, /usr/lib/modules/*/vmlinuz; /boot is empty or absent.',
        'No init in the image: looked for /sbin/init, /etc/init, /bin/init.',
        'The image is Debian GNU/Linux 12 (bookworm); set install-system to auto, or add to the Dockerfile:',
        'RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends linux-image-amd64',
        'RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends systemd-sysv'
      ].join('\n')
    )
  })

  test('a size that does not hold the content, before anything is written', async () => {
    const { title, message, run } = await bench.fail({ checkout: ALPINE, inputs: { ...QUICK, size: '100M' } })
    expect(title).toBe('Disk too small')
    expect(message).toMatch(
      /^Input size is 100 MiB \(104857600 bytes\), but the content needs a disk of at least \d+ MiB \(\d+ bytes\): set size to \d+M or more, or to auto\.$/
    )
    expect(run.log).not.toContain('mkfs')
  })
})

/** Something else on the serial port, so that no login prompt is added there. */
const NO_GETTY = "RUN sed -i 's|^ttyS0.*|ttyS0::respawn:/bin/sleep 86400|' /etc/inittab"

describe('an image that does not boot is named and not published', () => {
  /** Runs a check that has to fail; what is uploaded is the console's log and a picture of the display. */
  async function failBoot(
    name: string,
    cause: string,
    checkout: string,
    inputs: Record<string, string> = {},
    onLine: (line: string) => void = () => {}
  ): Promise<string> {
    const { run, title, message } = await bench.fail({
      checkout,
      inputs: { name, accelerator: 'tcg', ...inputs },
      onLine
    })
    expect(title).toBe('Boot check failed')
    expect(run.outputs).toMatchObject({ 'boot-result': 'failed', 'boot-cause': cause })
    expect([...bench.results.artifacts.keys()].filter(artifact => artifact.startsWith(name))).toEqual([
      `${name}.console.log`,
      `${name}.screenshot.png`
    ])
    const log = readFileSync(run.outputs['serial-log'] ?? '')
    expect(readFileSync(bench.results.artifacts.get(`${name}.console.log`)?.file ?? '')).toEqual(log)
    expect(run.outputs.image).toBeUndefined()
    expect(run.summary).toMatch(/^### Boot$[\s\S]*^\| firmware \|[\s\S]*^```mermaid$/m)
    return message
  }

  test('init that ends, within two seconds of the panic', async () => {
    const seen = { panic: 0, error: 0 }
    const message = await failBoot(
      'init-ends',
      'init-died',
      bench.alpineWith(
        // The kernel does not wait for what init has written to the serial port.
        "RUN rm /sbin/init && printf '#!/bin/sh\\necho my last words\\nsleep 1\\nexit 1\\n' > /sbin/init && chmod +x /sbin/init"
      ),
      {},
      line => {
        if (/^guest │ .*Kernel panic/.test(line)) seen.panic ||= performance.now()
        if (line.startsWith('::error ')) seen.error ||= performance.now()
      }
    )
    expect(seen.panic).toBeGreaterThan(0)
    expect(seen.error - seen.panic).toBeGreaterThan(0)
    expect(seen.error - seen.panic).toBeLessThan(2000)
    expect(message).toMatch(
      /^The image does not boot: The init program ended with exit code 1, and the kernel cannot go on without it\. \(after \d+\.\d s, TCG\)\n/
    )
    expect(message).toContain('my last words')
    expect(message).toContain('Kernel panic - not syncing: Attempted to kill init!')
  })

  test('another root', async () => {
    const message = await failBoot('other-root', 'no-root', ALPINE, {
      'kernel-args': 'root=/dev/sdz9 rootdelay=1'
    })
    expect(message).toMatch(
      /^The image does not boot: The kernel or its initrd could not mount the root filesystem\. It was asked for \/dev\/sdz9; the kernel found vda, vda1\. \(after .*\nThe disk is there, and root= or rootfstype= does not fit it: leave both out of kernel-args/
    )
    expect(message).toContain('/dev/sdz9 does not exist')
  })

  test('no getty', async () => {
    const checkout = bench.alpineWith(NO_GETTY)
    const message = await failBoot('no-getty', 'timeout', checkout, { 'boot-timeout': '20' })
    expect(message).toMatch(
      /^The image does not boot: No login prompt appeared on the serial console within boot-timeout \(20 seconds\); init was running\. /
    )
    expect(message).toContain('it has no getty on ttyS0')
  })

  test('a machine that powers itself off', async () => {
    const checkout = bench.alpineWith(`${NO_GETTY} && echo '::once:/sbin/poweroff -f' >> /etc/inittab`)
    expect(await failBoot('powers-off', 'shutdown', checkout)).toMatch(
      /^The image does not boot: The machine powered itself off before it was up\. /
    )
  })

  test('a machine that powers itself off as soon as it is up', async () => {
    const checkout = bench.alpineWith(
      "RUN printf '%s\\n' '#!/bin/sh' 'printf \"falls login: \"; sleep 0.2; exec poweroff -f' > /bin/falls && chmod +x /bin/falls",
      "RUN sed -i 's|^ttyS0.*|ttyS0::respawn:/bin/falls|' /etc/inittab"
    )
    expect(await failBoot('falls', 'shutdown', checkout)).toMatch(
      /^The image boots, but a check failed: The machine powered itself off although it was up\. /
    )
  })

  test('a machine that resets itself again and again', async () => {
    const checkout = bench.alpineWith(`${NO_GETTY} && echo '::once:/sbin/reboot -f' >> /etc/inittab`)
    expect(await failBoot('resets', 'reboot-loop', checkout)).toMatch(
      /^The image does not boot: The machine resets itself again and again\. /
    )
  })
})

test('a success pattern that does not come to an end is stopped', async () => {
  const words = `boot ${'a'.repeat(60)}!`
  const { title, message, run } = await bench.fail({
    checkout: bench.alpineWith(
      `${NO_GETTY} && echo '::once:/bin/sh -c "echo ${words} > /dev/ttyS0"' >> /etc/inittab`
    ),
    inputs: { 'boot-success-pattern': 'boot (a+)+b', 'upload-artifact': 'false', name: 'endless' }
  })
  expect(title).toBe('Wrong input')
  expect(message).toBe(
    'Input boot-success-pattern is "boot (a+)+b", but it is not done with a line of the console after 5 seconds. ' +
      'Write it without a repetition inside of a repetition, such as a+b instead of (a+)+b.'
  )
  expect(run.outputs.image).toBeUndefined()
})

test('a success pattern replaces the login prompt', async () => {
  const checkout = bench.alpineWith(
    `${NO_GETTY} && echo '::once:/bin/sh -c "echo APP READY on 8080 > /dev/ttyS0"' >> /etc/inittab`
  )
  const run = await bench.succeed({
    checkout,
    inputs: {
      'boot-success-pattern': 'READY on \\d+',
      'upload-artifact': 'false',
      formats: 'raw',
      'boot-timeout': '120',
      name: 'pattern'
    }
  })
  expect(run.outputs['boot-result']).toBe('passed')
  expect(run.rawLog).toMatch(/^The image boots: APP READY on \d+ after /m)
  expect(statSync(run.outputs.image ?? '').size).toBeGreaterThan(0)
})
