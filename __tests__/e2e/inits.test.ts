import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { bootImage } from '../support/boot.ts'
import { Bench } from '../support/e2e.ts'
import { ensureBaseImage } from '../support/images.ts'
import { REPOSITORY } from '../support/runner.ts'

const bench = new Bench()
beforeAll(async () => {
  await ensureBaseImage('debian:bookworm')
  await ensureBaseImage('alpine:3.20')
  await bench.begin()
})
afterAll(() => bench.end())

const INITS = ['sysvinit', 'openrc', 'runit', 'alpine'] as const

test.each(INITS)(
  '%s: a login prompt, a writable root, an address, name servers and an answer',
  async target => {
    const run = await bench.succeed({
      checkout: join(REPOSITORY, '__tests__/fixtures/inits'),
      inputs: {
        target,
        name: target,
        formats: 'raw',
        'upload-artifact': 'false',
        'boot-success-pattern': '^witness: done, with a prompt on ttyS0'
      }
    })
    const witnessed = ['address 10.0.2.15', 'root is written']
    const seen = readFileSync(run.outputs['serial-log'] ?? '', 'utf8')
    for (const words of witnessed) expect(seen).toContain(`witness: ${words}`)
    expect(seen).toContain(`${target} login: `)
    // QEMU's network of the boot check leads nowhere: by restrict=on its DHCP names no name server, and it answers no DNS.
    const booted = await bootImage(run.outputs.image ?? '', 'raw', 'virtio', /witness: done.*\n/, 180, {
      network: 'user'
    })
    for (const words of [...witnessed, 'name server 10.0.2.3', 'getent hosts deb.debian.org'])
      expect(booted).toContain(`witness: ${words}`)
  }
)
