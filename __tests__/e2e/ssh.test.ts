import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { bootImage } from '../support/boot.ts'
import { Bench, inImage } from '../support/e2e.ts'
import { ensureBaseImage } from '../support/images.ts'

const bench = new Bench()
const folder = mkdtempSync(join(tmpdir(), 'ssh-'))
beforeAll(async () => {
  await ensureBaseImage('debian:bookworm')
  await bench.begin()
})
afterAll(async () => {
  rmSync(folder, { recursive: true })
  await bench.end()
})

const DOCKERFILE = `FROM debian:bookworm
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \\
    initramfs-tools linux-image-cloud-amd64 openssh-server sudo systemd-sysv \\
 && rm -rf /var/lib/apt/lists/*
`

/** Runs a command in the guest, whose server may not listen yet. */
async function ssh(key: string, login: string, port: number, command: string): Promise<string> {
  const options = [
    'BatchMode=yes',
    'StrictHostKeyChecking=no',
    'UserKnownHostsFile=/dev/null',
    'ConnectTimeout=20'
  ]
  const argv = ['-i', key, '-p', `${port}`, ...options.flatMap(option => ['-o', option]), login, command]
  const deadline = Date.now() + 120_000
  while (true) {
    try {
      return (await promisify(execFile)('ssh', argv)).stdout
    } catch (error) {
      if (Date.now() > deadline) throw error
      await sleep(2000)
    }
  }
}

test('a user of the inputs logs in by key, becomes root, and meets host keys of this machine alone', async () => {
  const key = join(folder, 'key')
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'me@über', '-f', key])
  const run = await bench.succeed({
    checkout: bench.context(DOCKERFILE),
    inputs: {
      name: 'door',
      formats: 'raw',
      user: 'admin',
      'authorized-keys': readFileSync(`${key}.pub`, 'utf8'),
      'boot-test': 'false',
      'upload-artifact': 'false'
    }
  })
  const image = run.outputs.image ?? ''
  // The keys that the package made in the container are gone.
  expect(run.log).toMatch(/Written anew or removed in the image: .*\/etc\/ssh\/ssh_host_ed25519_key/)
  expect(inImage(image, at => execFileSync('ls', [join(at, 'etc/ssh')], { encoding: 'utf8' }))).not.toContain(
    'ssh_host_'
  )

  let answer = ''
  await bootImage(image, 'raw', 'virtio', /door login: $/, 240, {
    forward: 22,
    whileUp: async port => {
      const commands =
        'id -un; id -g; sudo -n id -u; stat -c %a:%U:%G . .ssh .ssh/authorized_keys; ls /etc/ssh; cat /etc/resolv.conf; getent hosts deb.debian.org'
      answer = await ssh(key, 'admin@127.0.0.1', port, commands)
    }
  })
  expect(answer).toMatch(
    /^admin\n1000\n0\n700:admin:admin\n700:admin:admin\n600:admin:admin\n[\s\S]*^ssh_host_ed25519_key$/m
  )
  // The network is the action's doing: systemd-networkd, without systemd-resolved.
  expect(answer).toMatch(/^nameserver 10\.0\.2\.3$/m)
  expect(answer).toMatch(/^[0-9a-f.:]+\s+\S*debian\S*/m)
})
