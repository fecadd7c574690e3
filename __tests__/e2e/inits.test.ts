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
        'boot-test': 'false'
      }
    })
    // The network of a boot check leads nowhere: by restrict=on QEMU's DHCP names no name server, and it answers no DNS.
    const until = /witness: done, with a prompt on ttyS0/
    const seen = await bootImage(run.outputs.image ?? '', 'raw', 'virtio', until, 240, { network: 'user' })
    for (const words of [
      'address 10.0.2.15',
      'root is written',
      'name server 10.0.2.3',
      'getent hosts deb.debian.org'
    ])
      expect(seen).toContain(`witness: ${words}`)
    expect(seen).toContain(`${target} login: `)
  }
)
