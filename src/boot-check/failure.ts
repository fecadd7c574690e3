import { ActionError } from '../errors.ts'
import { formatSeconds, inert } from '../text.ts'
import type { Reason } from './causes.ts'
import type { Phase } from './phases.ts'

/** How QEMU runs the machine: with the processor's own virtualization, or in software. */
export type Acceleration = 'kvm' | 'tcg'

/** What a failure's message quotes. */
export type Quotation = Readonly<{ what: string; lines: readonly string[] }>

/** How far the machine had come. */
export type Progress = Readonly<{
  accelerator: Acceleration
  /** Seconds from power-on to the failure. */
  seconds: number
  phases: readonly Phase[]
}>

/** A machine that did not come up, or did not do what it should; the message holds cause, advice and last lines. */
export class BootFailure extends ActionError {
  constructor(
    readonly reason: Reason,
    readonly progress: Progress,
    { what, lines }: Quotation,
    lead: string
  ) {
    const { seconds, accelerator } = progress
    super(
      [
        `${lead}: ${inert(reason.summary)} (after ${formatSeconds(seconds)}, ${accelerator.toUpperCase()})`,
        reason.advice,
        ...(lines.length > 0
          ? [`${what} ends with:`, ...lines.map(line => `  ${inert(line)}`)]
          : [`${what} is empty.`])
      ].join('\n'),
      'Boot check failed'
    )
  }
}
