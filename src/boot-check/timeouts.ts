import { causeNamed, type Reason, reasonOf } from './causes.ts'
import type { Facts } from './facts.ts'
import type { PhaseName } from './phases.ts'

/** A boot that has neither succeeded nor failed when its time is over. */
export type Unfinished = Readonly<{
  /** What did not appear, such as `login prompt`. */
  sign: string
  /** What is over, in the words of the one who set it, such as `boot-timeout (20 seconds)`. */
  within: string
  phase: PhaseName
  facts: Facts
  /** Null if nothing was said at all. */
  lastLine: string | null
}>

/** Why it has not, as far as can be told. */
export function timeoutReason(unfinished: Unfinished): Reason {
  const { sign, within, phase, facts, lastLine } = unfinished
  const summary = `No ${sign} appeared on the serial console within ${within}`
  switch (phase) {
    case 'firmware':
      return silent(unfinished)
    case 'loader':
      // A quiet kernel's loader does not say what it loads.
      return facts.loading === null && !facts.isLoaderConfigured
        ? {
            ...reasonOf(causeNamed('loader-broken'), facts),
            summary: `The boot loader started, and loaded nothing within ${within}.`
          }
        : silent(unfinished)
    case 'kernel':
    case 'initrd': {
      if (facts.awaitedRoot !== null) return reasonOf(causeNamed('no-root'), facts)
      if (facts.initrdTrouble !== null) return reasonOf(causeNamed('initrd-corrupt'), facts)
      const trouble = facts.oops === null ? '' : ` The kernel is in trouble: ${facts.oops}.`
      return {
        id: 'timeout',
        summary: `${summary}; the ${phase === 'kernel' ? 'kernel was still starting' : 'initrd was still running'}.${trouble}`,
        advice: `${LATE} Otherwise the last lines above name what it waits for, most often a disk that the machine does not have.`
      }
    }
    case 'init':
    case 'login': {
      if (facts.isUp) return noPrompt(`${summary}, although the system is up.`, facts)
      if (facts.isDeniedBySelinux) return noPrompt(`${summary}.`, facts)
      if (facts.gettyTrouble !== null)
        return noPrompt(`${summary}: init says "${facts.gettyTrouble}".`, facts)
      if (facts.waitingFor !== null) {
        return {
          id: 'timeout',
          summary: `${summary}: systemd says "${facts.waitingFor}".`,
          advice: `${LATE} Otherwise that unit waits for what never comes: give it a limit (TimeoutStartSec=, x-systemd.device-timeout=) or take it out of the Dockerfile.`
        }
      }
      const words = lastLine === null ? '' : ` The last line is "${lastLine.trim().slice(0, 200)}".`
      return {
        id: 'timeout',
        summary: `${summary}; init was running.${words}`,
        advice: `${LATE} If it was up, it has no getty on ttyS0: enable one, or set boot-success-pattern to a line that it prints.`
      }
    }
  }
}

const LATE = 'If the system was still starting, raise boot-timeout.'

const silent = ({ lastLine, within }: Unfinished): Reason => ({
  id: 'silent-console',
  summary: `Nothing ${lastLine === null ? '' : 'of the kernel '}appeared on the serial console within ${within}.`,
  advice:
    'The kernel may log elsewhere: leave serial-console true and console= out of kernel-args. A kernel that stops before it can speak may ' +
    'lack a feature of the processor or memory: raise memory.'
})

/** The system is up, and nobody asks for a login on the serial port. */
export const gettyMissing = (sign: string, facts: Facts): Reason =>
  noPrompt(`The system is up, but no ${sign} appears on the serial console.`, facts)

function noPrompt(summary: string, facts: Facts): Reason {
  if (facts.isDeniedBySelinux) {
    const { id, advice } = reasonOf(causeNamed('selinux-lockout'), facts)
    return { id, summary: `${summary} SELinux refuses what its programs ask for.`, advice }
  }
  return {
    id: 'getty-missing',
    summary,
    advice:
      'It has no getty on ttyS0: enable one in the Dockerfile (under systemd: systemctl enable serial-getty@ttyS0.service), or set boot-success-pattern to a line that it prints.'
  }
}
