import { once } from 'node:events'
import { closeSync, createWriteStream, openSync, rmSync } from 'node:fs'
import { createConnection, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import * as core from '@actions/core'
import { ActionError } from '../errors.ts'
import type { Host } from '../host.ts'
import type { BootInputs } from '../inputs.ts'
import { formatSeconds, inert } from '../text.ts'
import type { Undo } from '../undo.ts'
import { ConsoleLines } from './console.ts'
import { type Cause, judgeLine } from './diagnosis.ts'
import { KVM_FAILURE, qemuArgv } from './machine.ts'

export type BootResult = Readonly<{
  accelerator: 'kvm' | 'tcg'
  /** Seconds from power-on to the line that decided. */
  seconds: number
  /** The line that showed success. */
  evidence: string
}>

/** A machine that did not come up; the message holds cause, advice and the console's last lines. */
export class BootFailure extends ActionError {
  constructor(
    readonly diagnosis: Pick<Cause, 'id' | 'summary' | 'advice'>,
    readonly accelerator: 'kvm' | 'tcg',
    readonly seconds: number,
    lastLines: readonly string[]
  ) {
    super(
      [
        `The image does not boot: ${diagnosis.summary} (after ${formatSeconds(seconds)}, ${accelerator.toUpperCase()})`,
        diagnosis.advice,
        ...(lastLines.length > 0
          ? ['The console ends with:', ...lastLines.map(line => `  ${inert(line)}`)]
          : ['The console is empty.'])
      ].join('\n'),
      'Boot check failed'
    )
  }
}

/** Lines of the console that a failure's message quotes. */
const QUOTED_LINES = 20
/** Milliseconds in which the console may still add to a decisive failure: a panic's own lines follow its first. */
const AFTERMATH = 400

type Options = Readonly<{ disk: string; boot: BootInputs; serialLog: string; workDir: string }>

/**
 * Boots a throwaway overlay of the disk in QEMU and waits for the sign of success.
 * @throws BootFailure if the machine does not come up
 */
export async function checkBoot(host: Host, undo: Undo, options: Options): Promise<BootResult> {
  const { accelerator } = options.boot
  if (accelerator === 'tcg') return attempt(host, undo, options, 'tcg')
  const unusable = await makeKvmUsable(host, undo)
  if (unusable === null) {
    try {
      return await attempt(host, undo, options, 'kvm')
    } catch (error) {
      if (!(error instanceof KvmFailure)) throw error
      if (accelerator === 'kvm') throw noKvm(error.message)
      core.info(
        `KVM does not work here (${inert(error.message)}): starting again under TCG, QEMU's own emulation.`
      )
    }
  } else {
    if (accelerator === 'kvm') throw noKvm(unusable)
    core.info(
      `No KVM (${unusable}): the machine runs under TCG, QEMU's own emulation, which is several times slower.`
    )
  }
  return attempt(host, undo, options, 'tcg')
}

class KvmFailure extends Error {}

const noKvm = (reason: string): ActionError =>
  new ActionError(
    `Input accelerator is "kvm", but KVM does not work here: ${reason}. Set accelerator to auto or tcg.`,
    'No KVM'
  )

/** @returns null if /dev/kvm can be opened, else why not */
async function makeKvmUsable(host: Host, undo: Undo): Promise<string | null> {
  const device = '/dev/kvm'
  const open = (): string | null => {
    try {
      closeSync(openSync(device, 'r+'))
      return null
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? 'unknown error'
    }
  }
  const code = open()
  if (code === null) return null
  if (code === 'ENOENT') return `${device} is absent`
  if (code !== 'EACCES') return `${device} cannot be opened: ${code}`
  // Hosted runners have it as root:kvm 0660. Programs were installed before: a package's udev trigger resets the mode.
  const present = await host.runAsRoot(['stat', '--format', '%a', device], { allowFailure: true })
  undo.register({ kind: 'mode', path: device, mode: present.stdout.trim() || '660' })
  await host.runAsRoot(['chmod', 'o+rw', device], { allowFailure: true })
  const after = open()
  return after === null ? null : `${device} cannot be opened: ${after}`
}

async function attempt(
  host: Host,
  undo: Undo,
  { disk, boot, serialLog, workDir }: Options,
  accelerator: 'kvm' | 'tcg'
): Promise<BootResult> {
  const overlay = join(workDir, 'overlay.qcow2')
  await host.run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', disk, overlay])
  // A socket's path holds 107 bytes at most (unix(7)), fewer than the work folder's may have.
  const monitor = join(tmpdir(), `docker-to-disk-${undo.runId}.qmp`)
  undo.register({ kind: 'folder', path: monitor })
  const { memoryMiB, cpus } = boot
  const name = `docker-to-disk-${undo.runId}`
  const begin = performance.now()
  const elapsed = (): number => (performance.now() - begin) / 1000
  const qemu = host.start(qemuArgv({ name, accelerator, memoryMiB, cpus, overlay, monitor }), {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: workDir
  })
  // A workspace may hold a link of this name, and what a guest says must not go where it leads.
  rmSync(serialLog, { force: true })
  const log = createWriteStream(serialLog, { flags: 'wx' })
  const monitoring = monitorEvents(monitor)
  const console = new ConsoleLines()
  const recent: string[] = []
  let stderr = ''

  try {
    let evidence: string | null = null
    const verdict = await new Promise<
      'success' | { cause: Pick<Cause, 'id' | 'summary' | 'advice'> } | KvmFailure
    >(resolve => {
      let decided = false
      const decide = (verdict: Parameters<typeof resolve>[0]): void => {
        decided = true
        resolve(verdict)
      }
      const judge = (line: string): void => {
        if (evidence !== null) return
        const judged = judgeLine(line, boot.successPattern)
        if (judged === null) return
        evidence = line
        if (judged === 'success') decide('success')
        else setTimeout(() => decide({ cause: judged }), AFTERMATH)
      }
      qemu.stdout?.on('data', (chunk: Buffer) => {
        log.write(chunk)
        for (const line of console.write(chunk)) {
          if (!decided) core.info(`guest │ ${inert(line)}`)
          if (line.trim() !== '') recent.push(line)
          if (recent.length > QUOTED_LINES) recent.shift()
          judge(line)
        }
        judge(console.partial)
      })
      qemu.stderr?.setEncoding('utf8')
      qemu.stderr?.on('data', (text: string) => {
        stderr = (stderr + text).slice(-4096)
        if (accelerator === 'kvm' && KVM_FAILURE.test(stderr))
          decide(new KvmFailure(stderr.trim().split('\n')[0]))
      })
      const timer = setTimeout(
        () => decide({ cause: timeoutCause(boot, recent.length > 0) }),
        boot.timeout * 1000
      )
      void qemu.ended.then(async end => {
        clearTimeout(timer)
        if (accelerator === 'kvm' && recent.length === 0)
          decide(new KvmFailure(stderr.trim().split('\n')[0] || 'QEMU ended at once'))
        const reason = await monitoring.shutdownReason()
        if (evidence === null) decide({ cause: endCause(reason, end.exitCode, stderr) })
      })
    })
    const seconds = elapsed()
    // A prompt has no newline: it is on no finished line.
    if (console.partial.trim() !== '') {
      recent.push(console.partial)
      core.info(`guest │ ${inert(console.partial)}`)
    }
    if (host.cancelled.aborted) throw host.cancelled.reason
    if (verdict instanceof KvmFailure) throw verdict
    if (verdict === 'success') return { accelerator, seconds, evidence: evidence ?? '' }
    throw new BootFailure(verdict.cause, accelerator, seconds, recent.slice(-QUOTED_LINES))
  } finally {
    await qemu.end(2000)
    monitoring.close()
    log.end()
    await once(log, 'close').catch(() => {})
    for (const path of [overlay, monitor]) rmSync(path, { force: true })
  }
}

function timeoutCause(boot: BootInputs, spoke: boolean): Pick<Cause, 'id' | 'summary' | 'advice'> {
  const sign = boot.successPattern === null ? 'login prompt' : `line that matches ${boot.successPattern}`
  if (!spoke) {
    return {
      id: 'silent-console',
      summary: `Nothing appeared on the serial console within boot-timeout (${boot.timeout} seconds).`,
      advice: 'The kernel may log elsewhere: leave serial-console true and console= out of kernel-args.'
    }
  }
  return {
    id: 'timeout',
    summary: `No ${sign} appeared on the serial console within boot-timeout (${boot.timeout} seconds).`,
    advice:
      'If the system was still starting, raise boot-timeout. If it was up, it has no getty on ttyS0: enable one, or set boot-success-pattern to a line that it prints.'
  }
}

function endCause(
  reason: string | null,
  exitCode: number,
  stderr: string
): Pick<Cause, 'id' | 'summary' | 'advice'> {
  if (reason === 'guest-reset') {
    return {
      id: 'reset',
      summary: 'The machine reset itself before it was up.',
      advice: 'A kernel or init that reboots on failure: the last lines above say why it gave up.'
    }
  }
  if (reason === 'guest-shutdown') {
    return {
      id: 'shutdown',
      summary: 'The machine powered itself off before it was up.',
      advice: 'Something in the image shuts it down during boot: the last lines above name it.'
    }
  }
  const words = stderr.trim().split('\n').slice(-3).map(inert).join(' ')
  return {
    id: 'qemu-ended',
    summary: `QEMU ended with exit code ${exitCode}${words ? `: ${words}` : ''}.`,
    advice:
      'If memory was short on the runner, lower memory; otherwise the message above says what QEMU could not do.'
  }
}

/** Listens on QEMU's monitor for why the machine ended. */
function monitorEvents(path: string): { shutdownReason(): Promise<string | null>; close(): void } {
  let socket: Socket | null = null
  let reason: string | null = null
  let over = false
  let finished: () => void = () => {}
  const ended = new Promise<void>(resolve => {
    finished = resolve
  })
  const connect = (): void => {
    if (over) return
    socket = createConnection(path)
    socket.on('connect', () => socket?.write('{"execute":"qmp_capabilities"}\n'))
    socket.on('error', () => setTimeout(connect, 50).unref())
    socket.on('close', hadError => {
      if (!hadError) finished()
    })
    createInterface({ input: socket })
      .on('line', line => {
        try {
          const message = JSON.parse(line)
          if (message.event === 'SHUTDOWN') reason = message.data?.reason ?? null
        } catch {
          // no line of the protocol
        }
      })
      .on('error', () => {})
  }
  connect()
  return {
    async shutdownReason() {
      await Promise.race([ended, new Promise(resolve => setTimeout(resolve, 500).unref())])
      return reason
    },
    close() {
      over = true
      socket?.destroy()
    }
  }
}
