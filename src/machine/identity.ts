import type { Draft } from './draft.ts'
import type { MachineFacts } from './facts.ts'

export const IDENTITY_TEXTS = ['etc/fstab', 'usr/sbin/policy-rc.d'] as const

/**
 * Plans what makes a container's tree that of one machine: its own names, mounts and ids, and no trace of Docker. The host
 * name and hosts are written whatever the image has: Docker hides them behind empty files of its own.
 */
export function planIdentity(draft: Draft, { hostname, rootMount, init }: MachineFacts): void {
  draft.write('etc/fstab', fstab(draft.text('etc/fstab'), rootMount))
  draft.write('etc/hostname', `${hostname}\n`, { mode: 0o644 })
  draft.write('etc/hosts', hosts(hostname), { mode: 0o644 })
  // Cloned ids collide at the DHCP server. An empty file is what systemd fills at boot (machine-id(5)).
  if (init.system === 'systemd') draft.write('etc/machine-id', '', { mode: 0o444 })
  else draft.remove('etc/machine-id')
  if (draft.entry('var/lib/dbus/machine-id')?.kind === 'f') draft.remove('var/lib/dbus/machine-id')
  planDevices(draft)
  // OpenRC skips its root, fsck and localmount services, and systemd changes its behaviour, where these exist.
  draft.remove('.dockerenv', 'run/.containerenv')
  // Debian's container images keep services from starting by it; in a machine they have to start.
  if (/exit\s+101/.test(draft.text('usr/sbin/policy-rc.d') ?? '')) draft.remove('usr/sbin/policy-rc.d')
}

/** The image's fstab with the root's line replaced: without one, the root stays read-only on Debian and Alpine. */
function fstab(present: string | null, rootMount: string): string {
  const lines = (present ?? '')
    .split('\n')
    .filter(line => line.trim().split(/\s+/)[1] !== '/' || line.trim().startsWith('#'))
  const kept = lines
    .filter(line => !/UNCONFIGURED FSTAB/.test(line))
    .join('\n')
    .trim()
  return `${rootMount}\n${kept === '' ? '' : `${kept}\n`}`
}

function hosts(hostname: string): string {
  return [
    '127.0.0.1\tlocalhost',
    `127.0.1.1\t${hostname}`,
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'ff02::1\tip6-allnodes',
    'ff02::2\tip6-allrouters',
    ''
  ].join('\n')
}

/** Docker puts an empty file at /dev/console; a kernel without devtmpfs needs the real one before init can mount /dev. */
function planDevices(draft: Draft): void {
  if (draft.entry('dev/console')?.kind !== 'c')
    draft.device('dev/console', { major: 5, minor: 1, mode: 0o600 })
  if (draft.entry('dev/null')?.kind !== 'c') draft.device('dev/null', { major: 1, minor: 3, mode: 0o666 })
}
