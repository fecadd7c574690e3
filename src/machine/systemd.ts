import type { Draft } from './draft.ts'

const SETTINGS = 'etc/systemd/system'
/** Where packages put their units: with a merged /usr, and without. */
const UNIT_FOLDERS = ['usr/lib/systemd/system', 'lib/systemd/system'] as const

/**
 * Units that container images mask, since a container has neither devices nor logins of its own: Fedora's and Red Hat's
 * images mask most of them, guides to systemd in Docker the others. Other masked units are the user's choice.
 */
const NEEDED_UNITS = [
  'dev-hugepages.mount',
  'getty.target',
  'proc-sys-fs-binfmt_misc.automount',
  'sys-fs-fuse-connections.mount',
  'systemd-journal-flush.service',
  'systemd-journald-dev-log.socket',
  'systemd-journald.service',
  'systemd-journald.socket',
  'systemd-logind.service',
  'systemd-machine-id-commit.service',
  'systemd-modules-load.service',
  'systemd-random-seed.service',
  'systemd-remount-fs.service',
  'systemd-sysctl.service',
  'systemd-tmpfiles-setup-dev.service',
  'systemd-tmpfiles-setup.service',
  'systemd-udev-trigger.service',
  'systemd-udevd-control.socket',
  'systemd-udevd-kernel.socket',
  'systemd-udevd.service',
  'systemd-user-sessions.service'
] as const

/**
 * Links that systemd's packages bring and that guides to systemd in Docker have one delete (`rm -f
 * /lib/systemd/system/sysinit.target.wants/*` and the like): without them no device is found and nobody can log in.
 */
const NEEDED_WANTS: readonly (readonly [target: string, units: readonly string[]])[] = [
  [
    'sysinit.target',
    [
      'systemd-journal-flush.service',
      'systemd-journald.service',
      'systemd-machine-id-commit.service',
      'systemd-modules-load.service',
      'systemd-random-seed.service',
      'systemd-sysctl.service',
      'systemd-tmpfiles-setup-dev.service',
      'systemd-tmpfiles-setup.service',
      'systemd-udev-trigger.service',
      'systemd-udevd.service'
    ]
  ],
  [
    'sockets.target',
    [
      'systemd-journald-dev-log.socket',
      'systemd-journald.socket',
      'systemd-udevd-control.socket',
      'systemd-udevd-kernel.socket'
    ]
  ],
  ['multi-user.target', ['getty.target', 'systemd-logind.service', 'systemd-user-sessions.service']]
]

/** Takes back what makes systemd fit for a container and not for a machine. */
export function planUnits(draft: Draft): void {
  for (const unit of NEEDED_UNITS) {
    if (isMasked(draft, unit)) draft.remove(`${SETTINGS}/${unit}`)
  }
  for (const [target, units] of NEEDED_WANTS) {
    for (const unit of units) {
      const isWanted = [SETTINGS, ...UNIT_FOLDERS].some(
        folder => draft.entry(`${folder}/${target}.wants/${unit}`) !== null
      )
      if (!isWanted) link(draft, unit, target)
    }
  }
}

/** Whether the image has the unit, from a package or of its own. */
export const hasUnit = (draft: Draft, unit: string): boolean => unitPath(draft, unit) !== null

/** systemctl(1) masks by a link to /dev/null; an empty file does the same (systemd.unit(5)). */
export function isMasked(draft: Draft, unit: string): boolean {
  const entry = draft.entry(`${SETTINGS}/${unit}`)
  return (entry?.kind === 'l' && entry.link === '/dev/null') || (entry?.kind === 'f' && entry.size === 0)
}

/** Whether the unit is there and starts if something wants it. */
export const isUsable = (draft: Draft, unit: string): boolean =>
  hasUnit(draft, unit) && !isMasked(draft, unit)

/** Whether some other unit starts this one. */
export function isEnabled(draft: Draft, unit: string): boolean {
  if (!isUsable(draft, unit)) return false
  return [SETTINGS, ...UNIT_FOLDERS].some(folder =>
    draft
      .list(folder)
      .some(name => /\.(wants|requires)$/.test(name) && draft.entry(`${folder}/${name}/${unit}`) !== null)
  )
}

/** As `systemctl enable` with an [Install] section of this target and these aliases; nothing if it is enabled already. */
export function enable(draft: Draft, unit: string, target: string, aliases: readonly string[] = []): void {
  if (isEnabled(draft, unit)) return
  link(draft, unit, target)
  const path = unitPath(draft, unit)
  for (const alias of aliases) {
    if (path !== null && draft.entry(`${SETTINGS}/${alias}`) === null)
      draft.link(`${SETTINGS}/${alias}`, `/${path}`)
  }
}

/** Makes the unit one that a target wants; nothing if the image has no such unit. */
function link(draft: Draft, unit: string, target: string): void {
  const path = unitPath(draft, unit)
  if (path !== null) draft.link(`${SETTINGS}/${target}.wants/${unit}`, `/${path}`)
}

/** Path of the unit's file, for `name@instance.service` that of `name@.service`; null if there is none. */
function unitPath(draft: Draft, unit: string): string | null {
  const file = unit.replace(/@[^.]+\./, '@.')
  const folder = [SETTINGS, ...UNIT_FOLDERS].find(folder => {
    const entry = draft.entry(`${folder}/${file}`)
    return entry?.kind === 'f' && (folder !== SETTINGS || entry.size > 0)
  })
  return folder === undefined ? null : `${folder}/${file}`
}
