import { markdownTable } from '../text.ts'
import type { Phase } from './phases.ts'

/** The phases of one boot. */
export type BootTimes = Readonly<{
  /** What tells the boot from others, such as `disk on sata, network card virtio`. */
  machine: string
  phases: readonly Phase[]
  /** Seconds from power-on to the verdict. */
  seconds: number
  /** What the boot ended with, such as `success`; letters and blanks. */
  end: string
}>

/** Times of boots for the job summary: a table and a timeline, in Markdown with Mermaid. */
export function timesMarkdown(boots: readonly BootTimes[]): string {
  const several = boots.length > 1
  const rows = boots.flatMap(({ machine, phases }) =>
    phases.map(({ name, start, seconds }) => [
      ...(several ? [machine] : []),
      name,
      start.toFixed(1),
      seconds.toFixed(1)
    ])
  )
  return [
    markdownTable([...(several ? ['Machine'] : []), 'Phase', 'From second', 'Seconds'], rows),
    ['```mermaid', ...timeline(boots), '```'].join('\n')
  ].join('\n\n')
}

/** A colon and a line's end are all that has a meaning in these lines; seconds and names have none of them. */
function timeline(boots: readonly BootTimes[]): string[] {
  return [
    'timeline',
    '  title Boot',
    ...boots.flatMap(({ machine, phases, seconds, end }) => [
      ...(boots.length > 1 ? [`  section ${machine}`] : []),
      ...phases.map(phase => `  ${phase.start.toFixed(1)} s : ${phase.name} ${phase.seconds.toFixed(1)} s`),
      `  ${seconds.toFixed(1)} s : ${end}`
    ])
  ]
}
