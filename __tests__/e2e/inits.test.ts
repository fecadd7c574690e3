import { execFileSync, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { bootImage } from '../support/boot.ts'
import { useBench } from '../support/e2e.ts'
import { REPOSITORY } from '../support/runner.ts'

const bench = useBench('debian:bookworm', 'alpine:3.20')

const CONTEXT = join(REPOSITORY, '__tests__/fixtures/inits')
const LINES = 'LINES=one\n two'

const INITS = ['sysvinit', 'openrc', 'runit', 'alpine'] as const

/** The environment that each start of the image's process told of; the host name is the machine's own. */
const environments = (output: string): string[][] =>
  [...output.matchAll(/served: environment ([0-9a-f]+)/g)].map(([, hex = '']) =>
    Buffer.from(hex, 'hex')
      .toString()
      .split('\0')
      .slice(0, -1)
      .map(variable => variable.replace(/^HOSTNAME=.*/, 'HOSTNAME='))
      .sort()
  )

/** What the image's process says in a container. */
function inDocker(init: string): string {
  const tag = `docker-to-disk-test-inits-${init}`
  const options = ['--tag', tag, '--target', 'machine', '--build-arg', `INIT=${init}`, '--build-arg', LINES]
  execFileSync('docker', ['build', '--quiet', ...options, CONTEXT], { stdio: ['ignore', 'pipe', 'inherit'] })
  const { status, stdout } = spawnSync('docker', ['run', '--rm', tag], { encoding: 'utf8' })
  expect(status).toBe(3)
  return stdout
}

test.each(INITS)('%s: a login prompt, a network, a writable root; the process as in Docker', async init => {
  const run = await bench.succeed({
    checkout: CONTEXT,
    inputs: {
      target: 'machine',
      'build-args': `INIT=${init}\n"${LINES}"`,
      name: init,
      formats: 'raw',
      'entrypoint-service': 'true',
      'upload-artifact': 'false',
      'test-script': 'echo "init is $(cat /proc/1/comm)"',
      // BusyBox init and systemd have cases of their own.
      ...(init === 'sysvinit' && { 'check-persistence': 'true' })
    }
  })
  expect(run.rawLog).toMatch(new RegExp(`^test │ init is ${init === 'runit' ? 'runit' : 'init'}$`, 'm'))
  const contained = inDocker(init)
  expect(contained).toContain("served: it's %h $HOME by 65534 in /srv/a place, before: \n")
  const [environment = []] = environments(contained)
  expect(environment).toContain('LINES=one\n two')
  expect(environment).toContain(`ODD=it's "odd" %h %% $HOME \\ \\n \`id\`; *`)

  // The network of a boot check leads nowhere: by restrict=on QEMU's DHCP names no name server, and it answers no DNS.
  const until = /witness: done, with a prompt on ttyS0/
  const seen = await bootImage(run.outputs.image ?? '', 'raw', 'virtio', until, 240, {
    network: 'user',
    whileUp: async (_, console) => {
      for (const end = Date.now() + 240_000; Date.now() < end; await delay(500))
        if (console().includes('reboot: Power down')) return
      throw new Error('The machine does not go down')
    }
  })
  for (const words of [
    'address 10.0.2.15',
    'root is written',
    'name server 10.0.2.3',
    'getent hosts deb.debian.org'
  ])
    expect(seen).toContain(`witness: ${words}`)
  expect(seen).toContain(`${init} login: `)

  // It fails once, is started again, and ends with the machine.
  expect(seen.match(/served: (?!environment)[^\r\n]*/g)).toEqual([
    "served: it's %h $HOME by 65534 in /srv/a place, before: ",
    "served: it's %h $HOME by 65534 in /srv/a place, before: started",
    'served: ended by SIGQUIT'
  ])
  expect(environments(seen)).toEqual([environment, environment])
})
