import type { Draft } from './draft.ts'
import type { MachineFacts } from './plan.ts'

const KEYGEN_UNIT = `[Unit]
Description=Generate this machine's SSH host keys
ConditionPathExistsGlob=!/etc/ssh/ssh_host_*_key
Before=ssh.service sshd.service
After=systemd-remount-fs.service

[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -A
RemainAfterExit=yes

[Install]
WantedBy=multi-user.target
`

/**
 * Host keys in an image are shared by all of its machines: they go, and new ones are made at first boot. Where nothing
 * would make new ones, they stay, since without any the SSH server does not start.
 */
export function planSshHostKeys(draft: Draft, { init }: MachineFacts): void {
  const keys = draft.list('etc/ssh').filter(name => /^ssh_host_\w+_key(\.pub)?$/.test(name))
  if (keys.length === 0) return
  const canBeMade = init.system === 'systemd' && draft.kind('usr/bin/ssh-keygen') === 'f'
  if (!canBeMade && init.system !== 'openrc') return
  draft.remove(...keys.map(name => `etc/ssh/${name}`))
  if (!canBeMade) return
  const units = [...draft.list('usr/lib/systemd/system'), ...draft.list('etc/systemd/system')]
  if (units.some(unit => /^sshd?-?gen-?keys?|^sshd-keygen/.test(unit))) return
  const unit = 'ssh-host-keys.service'
  draft.write(`etc/systemd/system/${unit}`, KEYGEN_UNIT)
  draft.link(`etc/systemd/system/multi-user.target.wants/${unit}`, `../${unit}`)
}
