import { familyOf } from '../distro/families.ts'
import { dockerfileLine } from '../distro/family.ts'
import type { InitSystem } from '../distro/init.ts'
import type { Draft } from './draft.ts'
import type { MachineFacts } from './facts.ts'

export const SERVER_TEXTS = ['etc/inittab', 'etc/init.d/rcS', 'etc/ssh/sshd_config'] as const

export type Server = Readonly<{ name: 'OpenSSH' | 'Dropbear'; services: readonly string[] }>

export const OPENSSH: Server = { name: 'OpenSSH', services: ['ssh', 'sshd'] }
const DROPBEAR: Server = { name: 'Dropbear', services: ['dropbear'] }

/** The SSH server in the image, or null. */
export function findServer(draft: Draft): Server | null {
  const has = (name: string): boolean =>
    ['usr/sbin', 'usr/bin', 'usr/local/sbin'].some(folder => draft.kind(`${folder}/${name}`) === 'f')
  if (has('sshd')) return OPENSSH
  return has('dropbear') ? DROPBEAR : null
}

/** Plans that the server starts, for whoever gives keys wants to log in with them. */
export function planServer(
  draft: Draft,
  { init, distribution, user }: MachineFacts,
  server: Server | null
): void {
  if (server === null) {
    const family = familyOf(distribution)
    draft.warn(
      'Input authorized-keys is given, but no SSH server is in the image: looked for sshd and dropbear in /usr/sbin and /usr/bin.' +
        (family === null ? '' : ` Add to the Dockerfile: ${dockerfileLine(family, 'ssh', distribution)}`)
    )
    return
  }
  if (user === null && /^\s*PermitRootLogin\s+"?no\b/im.test(draft.text('etc/ssh/sshd_config') ?? ''))
    draft.warn(
      'The keys are for root, but /etc/ssh/sshd_config has "PermitRootLogin no". Name a user with the input user.'
    )
  if (!startsAtBoot(draft, init.system, server) && !enable(draft, init.system, server))
    draft.warn(
      `${server.name} is in the image, but nothing was found that starts it under ${init.system}. Enable it in the Dockerfile.`
    )
}

/** Folders of systemd's units. */
export const SYSTEMD_UNITS = ['usr/lib/systemd/system', 'lib/systemd/system', 'etc/systemd/system'] as const

function startsAtBoot(draft: Draft, system: InitSystem, { services }: Server): boolean {
  const listed = (folders: readonly string[], shape: (service: string) => string): boolean =>
    folders.some(folder =>
      draft.list(folder).some(name => services.some(service => new RegExp(shape(service)).test(name)))
    )
  const rcFolders = ['2', '3', '4', '5'].map(level => `etc/rc${level}.d`)
  switch (system) {
    case 'systemd': {
      const wants = SYSTEMD_UNITS.flatMap(folder =>
        draft
          .list(folder)
          .filter(name => /\.(wants|requires)$/.test(name))
          .map(name => `${folder}/${name}`)
      )
      return listed(wants, service => `^${service}\\.(service|socket)$`)
    }
    case 'openrc':
      return listed(
        draft.list('etc/runlevels').map(level => `etc/runlevels/${level}`),
        service => `^${service}$`
      )
    case 'sysvinit':
      return listed(rcFolders, service => `^S\\d\\d${service}$`)
    case 'runit':
      return (
        listed(rcFolders, service => `^S\\d\\d${service}$`) ||
        listed(
          ['etc/service', 'var/service', 'etc/runit/runsvdir/default', 'etc/runit/runsvdir/current'],
          service => `^${service}$`
        )
      )
    case 'busybox':
      return (
        listed(['etc/init.d'], service => `^S\\d\\d${service}$`) ||
        ['etc/inittab', 'etc/init.d/rcS'].some(path =>
          /^[^#]*\/(sshd|dropbear)(\s|$)/m.test(draft.text(path) ?? '')
        )
      )
    default:
      return false
  }
}

/** Plans that the service starts at boot; false if it is not known how. */
function enable(draft: Draft, system: InitSystem, { services }: Server): boolean {
  if (system === 'systemd') {
    for (const service of services) {
      const unit = `${service}.service`
      const folder = SYSTEMD_UNITS.find(candidate => draft.kind(`${candidate}/${unit}`) === 'f')
      const isMasked = draft.entry(`etc/systemd/system/${unit}`)?.link === '/dev/null'
      if (folder === undefined || isMasked) continue
      draft.link(`etc/systemd/system/multi-user.target.wants/${unit}`, `/${folder}/${unit}`)
      return true
    }
  }
  if (system === 'openrc') {
    const service = services.find(name => draft.kind(`etc/init.d/${name}`) === 'f')
    if (service === undefined) return false
    draft.link(`etc/runlevels/default/${service}`, `/etc/init.d/${service}`)
    return true
  }
  return false
}
