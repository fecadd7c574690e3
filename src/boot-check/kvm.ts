import { closeSync, openSync } from 'node:fs'
import { ActionError } from '../errors.ts'
import type { Host } from '../host.ts'
import type { Undo } from '../undo.ts'

/** KVM is there, and it is what failed, not the machine. */
export class KvmFailure extends Error {}

export const noKvm = (reason: string): ActionError =>
  new ActionError(
    `Input accelerator is "kvm", but KVM does not work here: ${reason}. Set accelerator to auto or tcg.`,
    'No KVM'
  )

/** @returns null if /dev/kvm can be opened, else why not */
export async function makeKvmUsable(host: Host, undo: Undo): Promise<string | null> {
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
  // Hosted runners have it as root:kvm 0660. A udev rule for it would outlive the run on a self-hosted runner; a changed mode is
  // given back. But udev resets the mode when a package triggers it, as QEMU's does: all programs were installed before, and what
  // they triggered is waited for.
  if (host.which('udevadm') !== null)
    await host.run(['udevadm', 'settle', '--timeout=15'], { allowFailure: true, timeout: 20_000 })
  const present = await host.runAsRoot(['stat', '--format', '%a', device], { allowFailure: true })
  const mode = present.stdout.trim() || '660'
  // Opened meanwhile by another run, which will close it again.
  if (!/[67]$/.test(mode)) undo.register({ kind: 'mode', path: device, mode })
  await host.runAsRoot(['chmod', 'o+rw', device], { allowFailure: true })
  const after = open()
  return after === null ? null : `${device} cannot be opened: ${after}`
}
