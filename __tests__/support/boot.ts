import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'

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

/** What is done with a machine that is up. */
export type Visit = Readonly<{
  /** TCP port of the guest that is forwarded. */
  guestPort: number
  /** Is given the port on 127.0.0.1, and the console so far. */
  during: (port: number, console: () => string) => Promise<void>
}>

/** A TCP port of 127.0.0.1 that was free just now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
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
  visit: Visit | null = null
): Promise<string> {
  const port = visit && (await freePort())
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
      visit ? `user,model=virtio-net-pci,hostfwd=tcp:127.0.0.1:${port}-:${visit.guestPort}` : 'none',
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
    if (visit && port !== null) {
      const during = visit.during(port, () => console)
      await during.catch(error => {
        throw new Error(`${error}:\n${console.slice(-3000)}`)
      })
    }
    return console
  } finally {
    qemu.kill('SIGKILL')
    await ended
  }
}
