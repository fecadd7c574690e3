import type { TreeIndex } from '../tree.ts'

export type InitSystem = 'systemd' | 'openrc' | 'sysvinit' | 'runit' | 'busybox' | 'other'

/** The program that the kernel starts first. */
export type Init = Readonly<{
  /** Path that the kernel opens, such as `/sbin/init`. */
  path: string
  /** Real path of the program, without a leading slash. */
  program: string
  system: InitSystem
}>

/** What the kernel tries in this order (init/main.c); its last resort, a shell, is no init. */
export const INIT_PATHS = ['sbin/init', 'etc/init', 'bin/init'] as const

/** Finds the init that the kernel will start, or null. */
export function findInit(index: TreeIndex): Init | null {
  for (const path of INIT_PATHS) {
    const program = index.resolve(path)
    if (program !== null && index.entry(program)?.kind === 'f') {
      return { path: `/${path}`, program, system: classify(index, program) }
    }
  }
  return null
}

function classify(index: TreeIndex, program: string): InitSystem {
  const name = program.split('/').pop() ?? ''
  const has = (path: string): boolean => index.kind(path) !== null
  if (name === 'systemd') return 'systemd'
  if (name === 'openrc-init') return 'openrc'
  if (name.startsWith('runit')) return 'runit'
  // BusyBox init and sysvinit may start OpenRC from inittab, which then does the work.
  if (has('sbin/openrc') || has('usr/bin/openrc')) return 'openrc'
  if (name === 'busybox') return 'busybox'
  if (has('sbin/telinit') || has('etc/inittab')) return 'sysvinit'
  return 'other'
}
