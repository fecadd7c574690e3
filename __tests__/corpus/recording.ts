import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import type { DiskBus } from '../../src/distro/disk-buses.ts'

/** What a recorded boot came to, as a person sees it who knows what was done to the disk. */
export const VERDICTS = [
  'success',
  'no-boot-device',
  'loader-broken',
  'kernel-not-loaded',
  'out-of-memory',
  'initrd-corrupt',
  'filesystem-damaged',
  'no-root',
  'no-timer',
  'initramfs-shell',
  'no-init',
  'init-died',
  'init-crashes',
  'panic',
  'emergency-mode',
  'rescue',
  'selinux-lockout',
  'reboot-loop',
  'shutdown',
  'halted',
  'silent-console',
  'getty-missing',
  'timeout'
] as const
export type Verdict = (typeof VERDICTS)[number]

/** The machine of a recording. `usb` is none of the action's own. */
export type Bus = DiskBus | 'usb'

export type Header = Readonly<{
  name: string
  memoryMiB: number
  diskBus: Bus
  accelerator: 'tcg'
  /** How long was listened, from power-on. */
  seconds: number
}>

/**
 * What came, and when in seconds from power-on: bytes of the console as latin1, an event of QMP, or the end of QEMU, which is
 * absent where it was still running when the recording stopped.
 */
export type Moment =
  | readonly [seconds: number, kind: 'console', bytes: string]
  | readonly [
      seconds: number,
      kind: 'event',
      event: Readonly<{ name: string; data: Readonly<Record<string, unknown>> }>
    ]
  | readonly [
      seconds: number,
      kind: 'end',
      end: Readonly<{ exitCode: number | null; signal: NodeJS.Signals | null }>
    ]

export type Recording = Readonly<{ header: Header; moments: readonly Moment[] }>

const pathOf = (name: string): string => join(import.meta.dirname, 'consoles', `${name}.jsonl.gz`)

/** @throws Error if there is no recording of the name */
export function readRecording(name: string): Recording {
  const [header, ...moments] = gunzipSync(readFileSync(pathOf(name)))
    .toString('utf8')
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))
  return { header, moments }
}

/** The same recording always gives the same file: Node's gzip header holds no time. */
export function writeRecording({ header, moments }: Recording): void {
  const lines = [header, ...moments].map(line => `${JSON.stringify(line)}\n`)
  writeFileSync(pathOf(header.name), gzipSync(lines.join(''), { level: 9 }))
}
