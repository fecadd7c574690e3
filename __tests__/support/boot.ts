import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { KERNEL_STAMP } from '../../src/boot-check/console.ts'

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

export type BootOptions = Readonly<{
  /** Port of the guest that a port of this machine leads to; without one the guest has no network. */
  forward?: number
  /** `user` is QEMU's own, with DHCP and DNS; the default where a port is forwarded. */
  network?: 'none' | 'user'
  /** Runs after the match, with the port of this machine and the console so far; the guest is up until it has ended. */
  whileUp?: (port: number, console: () => string) => Promise<void>
}>

/**
 * A console with each of the kernel's messages in a line of its own: a message goes into whatever line a program was writing on the
 * serial port, a prompt too, and now and then does so in any boot.
 */
export function untangle(console: string): string {
  const stamp = KERNEL_STAMP.source
  const cut = new RegExp(`^(?!${stamp})([^\\r\\n]+?)(${stamp}[^\\n]*\\n)`, 'gm')
  let text = console
  for (let last = ''; text !== last; ) {
    last = text
    text = last.replace(cut, (_, _0, line, message) => message + line)
  }
  return text
}

/**
 * Boots an image as its user would, in a QEMU of the test's own, and gives its console up to the first match, {@link untangle}d.
 * @throws Error with the console if nothing matches in time, or `whileUp` fails
 */
export async function bootImage(
  path: string,
  format: string,
  bus: keyof typeof DRIVES,
  until = /login: $/,
  seconds = 240,
  options: BootOptions = {}
): Promise<string> {
  const boot = (): Promise<string> => bootOnce(path, format, bus, until, seconds, options)
  return boot().catch(error => {
    // As in the boot check: tests run side by side, and leave QEMU's timers too little time now and then.
    if (!NO_TIMER.test(`${error}`)) throw error
    return boot()
  })
}

const NO_TIMER = /IO-APIC \+ timer doesn't work/

async function bootOnce(
  path: string,
  format: string,
  bus: keyof typeof DRIVES,
  until: RegExp,
  seconds: number,
  { forward, whileUp, network = forward === undefined ? 'none' : 'user' }: BootOptions
): Promise<string> {
  const port = forward === undefined ? 0 : await freePort()
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
      `${network === 'none' ? 'none' : 'user,model=virtio-net-pci'}${forward === undefined ? '' : `,hostfwd=tcp:127.0.0.1:${port}-:${forward}`}`,
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
        if (NO_TIMER.test(console)) {
          clearTimeout(timer)
          fail('The machine has no timer')
        }
        if (until.test(untangle(console))) {
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
    await whileUp?.(port, () => untangle(console)).catch(error => {
      throw new Error(
        `${error instanceof Error ? error.message : error}\nThe console:\n${console.slice(-3000)}`
      )
    })
    return untangle(console)
  } finally {
    qemu.kill('SIGKILL')
    await ended
  }
}

/** A port of this machine that nothing listens on. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}
