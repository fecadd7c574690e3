import { spawn } from 'node:child_process'
import { once } from 'node:events'

const DRIVES = {
  virtio: (drive: string) => ['-drive', `${drive},if=virtio`],
  sata: (drive: string) => [
    '-device',
    'ahci,id=sata',
    '-drive',
    `${drive},if=none,id=disk`,
    '-device',
    'ide-hd,drive=disk,bus=sata.0'
  ]
}

/**
 * Boots an image as its user would, in a QEMU of the test's own, and gives its console up to the first match.
 * @throws Error with the console if nothing matches in time
 */
export async function bootImage(
  path: string,
  format: string,
  bus: keyof typeof DRIVES,
  until = /login: $/,
  seconds = 240,
  network: 'none' | 'user' = 'none'
): Promise<string> {
  const drive = `file=${path.replaceAll(',', ',,')},format=${format},snapshot=on`
  const qemu = spawn(
    'qemu-system-x86_64',
    [
      '-m',
      '1024',
      '-smp',
      '2',
      '-display',
      'none',
      '-serial',
      'stdio',
      '-monitor',
      'none',
      '-no-reboot',
      '-nic',
      // QEMU's default, an e1000, has no driver in Debian's cloud kernel.
      network === 'none' ? 'none' : 'user,model=virtio-net-pci',
      ...DRIVES[bus](drive)
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] }
  )
  const ended = once(qemu, 'exit')
  let console = ''
  try {
    await new Promise<void>((resolve, reject) => {
      const fail = (why: string): void => reject(new Error(`${why}:\n${console.slice(-3000)}`))
      const timer = setTimeout(
        () => fail(`Nothing matched ${until} within ${seconds} seconds`),
        seconds * 1000
      )
      const see = (chunk: Buffer): void => {
        console += chunk.toString('latin1')
        if (until.test(console)) {
          clearTimeout(timer)
          resolve()
        }
      }
      qemu.stdout.on('data', see)
      qemu.stderr.on('data', see)
      void ended.then(() => {
        clearTimeout(timer)
        fail('QEMU ended')
      })
    })
    return console
  } finally {
    qemu.kill('SIGKILL')
    await ended
  }
}
