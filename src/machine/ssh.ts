import type { InitSystem } from '../distro/init.ts'
import type { Draft } from './draft.ts'
import type { MachineFacts } from './facts.ts'
import { findServer, OPENSSH, planServer, SERVER_TEXTS, type Server, SYSTEMD_UNITS } from './ssh-server.ts'

const KEYGEN = 'usr/bin/ssh-keygen'

const KEYGEN_UNIT = `[Unit]
Description=Generate this machine's SSH host keys
ConditionPathExistsGlob=!/etc/ssh/ssh_host_*_key
Before=ssh.service sshd.service
After=systemd-remount-fs.service

[Service]
Type=oneshot
ExecStart=/${KEYGEN} -A
RemainAfterExit=yes

[Install]
WantedBy=multi-user.target
`

const keygenOpenrc = (interpreter: string): string => `#!/${interpreter}
description="Generates this machine's SSH host keys"

depend() {
	after localmount
	before ssh sshd
}

start() {
	ls /etc/ssh/ssh_host_*_key >/dev/null 2>&1 && return 0
	ebegin "Generating SSH host keys"
	/${KEYGEN} -A
	eend $?
}
`

const KEYGEN_LSB = `#!/bin/sh
### BEGIN INIT INFO
# Provides:          ssh-host-keys
# Required-Start:    $local_fs
# Required-Stop:
# X-Start-Before:    ssh
# Default-Start:     S
# Default-Stop:
# Short-Description: Generate this machine's SSH host keys
### END INIT INFO
case "$1" in
start) ls /etc/ssh/ssh_host_*_key >/dev/null 2>&1 || /${KEYGEN} -A ;;
esac
`

/** What starts the SSH server; some make its host keys before, if there are none. */
const START_SCRIPTS: Partial<Record<InitSystem, readonly string[]>> = {
  openrc: ['etc/init.d/ssh', 'etc/init.d/sshd'], // Alpine, Gentoo
  sysvinit: ['etc/init.d/ssh', 'etc/init.d/sshd', 'etc/inittab'],
  runit: ['etc/sv/ssh/run', 'etc/sv/sshd/run'], // Void
  busybox: ['etc/init.d/S50sshd', 'etc/init.d/rcS', 'etc/inittab'] // Buildroot
}

export const SSH_TEXTS: readonly string[] = [
  ...new Set(Object.values(START_SCRIPTS).flat()),
  'etc/init.d/dropbear',
  'etc/runit/1',
  ...SERVER_TEXTS
]

/** Plans that the machine has SSH host keys of its own and, if there are keys to log in with, that its SSH server starts. */
export function planSsh(draft: Draft, facts: MachineFacts): void {
  const server = findServer(draft)
  planHostKeys(draft, facts, server)
  planDropbearKeys(draft)
  if (facts.authorizedKeys.length > 0) planServer(draft, facts, server)
}

/**
 * Host keys in an image are shared by all of its machines: they go, and new ones are made at first boot. Where nothing
 * would make new ones, they stay, since without any the SSH server does not start.
 */
function planHostKeys(draft: Draft, { init: { system } }: MachineFacts, server: Server | null): void {
  const keys = draft.list('etc/ssh').filter(name => /^ssh_host_\w+_key(\.pub)?$/.test(name))
  if (keys.length === 0 && server !== OPENSSH) return
  const makesOwn = START_SCRIPTS[system]?.some(path => draft.text(path)?.includes('ssh-keygen')) ?? false
  if (makesOwn || (draft.kind(KEYGEN) === 'f' && planKeygen(draft, system)))
    draft.remove(...keys.map(name => `etc/ssh/${name}`))
  else
    draft.warn(
      keys.length > 0
        ? 'The SSH host keys in the image stay, and all of its machines share them: nothing in it makes new ones at first boot.'
        : 'The image has an SSH server and neither host keys nor what makes them at first boot: the server will not start.'
    )
}

/** Plans that host keys are made before the SSH server starts; false if that is not known for this init. */
function planKeygen(draft: Draft, system: InitSystem): boolean {
  switch (system) {
    case 'systemd': {
      const units = SYSTEMD_UNITS.flatMap(folder => draft.list(folder))
      // Fedora's and Arch's make what is missing. Debian's sshd-keygen.service, from 13 on, has ConditionFirstBoot, and with
      // an empty machine-id no boot is a first one (machine-id(5)).
      if (units.some(unit => /^(sshd-keygen@|sshdgenkeys)\.service$/.test(unit))) return true
      const unit = 'ssh-host-keys.service'
      draft.write(`etc/systemd/system/${unit}`, KEYGEN_UNIT)
      draft.link(`etc/systemd/system/multi-user.target.wants/${unit}`, `../${unit}`)
      return true
    }
    case 'openrc': {
      const interpreter = ['sbin/openrc-run', 'usr/bin/openrc-run'].find(path => draft.kind(path) === 'f')
      if (interpreter === undefined) return false
      draft.write('etc/init.d/ssh-host-keys', keygenOpenrc(interpreter), { mode: 0o755 })
      draft.link('etc/runlevels/default/ssh-host-keys', '/etc/init.d/ssh-host-keys')
      return true
    }
    case 'sysvinit':
      // After what rcS mounts and before any runlevel. A script in rcS.d would also have to stand in insserv's own files.
      return addToInittab(draft, `sshk::bootwait:/${KEYGEN} -A`)
    case 'busybox':
      return addToInittab(draft, `::sysinit:/${KEYGEN} -A`)
    case 'runit':
      // Debian's runit starts what lies there, one after the other, before any service.
      if (
        !draft.text('etc/runit/1')?.includes('/etc/rcS.d/S') ||
        draft.kind('etc/runit/native.boot.run') !== null
      )
        return false
      draft.write('etc/init.d/ssh-host-keys', KEYGEN_LSB, { mode: 0o755 })
      draft.link('etc/rcS.d/S99ssh-host-keys', '../init.d/ssh-host-keys')
      return true
    default:
      return false
  }
}

/** Adds a line after the last one that prepares the system. */
function addToInittab(draft: Draft, line: string): boolean {
  const present = draft.text('etc/inittab')
  if (present === null) return false
  const lines = present.replace(/\n$/, '').split('\n')
  const last = lines.findLastIndex(text => /^[^#:]*:[^:]*:(sysinit|bootwait):/.test(text))
  const at = last < 0 ? lines.length : last + 1
  draft.write('etc/inittab', `${[...lines.slice(0, at), line, ...lines.slice(at)].join('\n')}\n`)
  return true
}

function planDropbearKeys(draft: Draft): void {
  const keys = draft.list('etc/dropbear').filter(name => /^dropbear_\w+_host_key$/.test(name))
  if (keys.length === 0) return
  if (draft.text('etc/init.d/dropbear')?.includes('dropbearkey'))
    draft.remove(...keys.map(name => `etc/dropbear/${name}`))
  else
    draft.warn(
      "Dropbear's host keys in the image stay, and all of its machines share them: its start script makes none. Remove them in the Dockerfile and start Dropbear with -R, which makes them."
    )
}
