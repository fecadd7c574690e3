import { ActionError } from '../../errors.ts'
import type { Draft } from '../draft.ts'
import type { MachineFacts } from '../facts.ts'
import { findTool } from './script.ts'

export const SERVICE = 'docker-to-disk-entrypoint'
const FOLDER = 'usr/lib/docker-to-disk'
/** Path of the script that becomes the process. */
export const ENTRYPOINT = `${FOLDER}/entrypoint`
const SUPERVISE = `${FOLDER}/supervise`

type Facts = Pick<MachineFacts, 'init' | 'network'>

/**
 * Plans that the machine's init runs the entrypoint script, again after a failure, and ends it with its stop signal.
 * @throws ActionError if the init is one of its own kind
 */
export function planSupervision(draft: Draft, { init, network }: Facts, stopSignal: number): void {
  const script = (path: string, text: string): void =>
    draft.write(path, text, { mode: 0o755, uid: 0, gid: 0 })
  switch (init.system) {
    case 'systemd':
      draft.write(`etc/systemd/system/${SERVICE}.service`, unit(network, stopSignal), { mode: 0o644 })
      draft.link(`etc/systemd/system/multi-user.target.wants/${SERVICE}.service`, `../${SERVICE}.service`)
      return
    case 'openrc': {
      const path = ['sbin', 'usr/bin', 'usr/sbin'].find(folder => draft.kind(`${folder}/openrc-run`) === 'f')
      script(SUPERVISE, supervise(stopSignal))
      script(`etc/init.d/${SERVICE}`, openrcScript(path ?? 'sbin'))
      draft.link(`etc/runlevels/default/${SERVICE}`, `/etc/init.d/${SERVICE}`)
      return
    }
    case 'runit': {
      for (const [name, text] of Object.entries(runitScripts(stopSignal)))
        script(`etc/sv/${SERVICE}/${name}`, text)
      const runlevel = 'etc/runit/runsvdir/default'
      draft.link(
        `${draft.kind(runlevel) === 'd' ? runlevel : 'etc/service'}/${SERVICE}`,
        `/etc/sv/${SERVICE}`
      )
      return
    }
    case 'sysvinit':
    case 'busybox':
      script(SUPERVISE, supervise(stopSignal))
      planInittab(draft, init.system)
      return
    default:
      throw new ActionError(
        `Input entrypoint-service is true, but the image's init /${init.program} is none that starts services: looked for ` +
          'systemd, OpenRC, SysV init, runit and BusyBox init. Install one in the Dockerfile, or leave the input out.',
        'No service to run'
      )
  }
}

/** The signal goes to the process alone, and 10 seconds later everything is killed, as by `docker stop`. */
const unit = (network: Facts['network'], stopSignal: number): string => `[Unit]
Description=ENTRYPOINT and CMD of the container image
${network === 'dhcp' ? 'Wants=network-online.target\n' : ''}After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart=/${ENTRYPOINT}
# Lets what was written last reach the journal.
ExecStopPost=/bin/sleep 0.2
SyslogIdentifier=${SERVICE}
StandardOutput=journal+console
StandardError=journal+console
IgnoreSIGPIPE=no
KillMode=mixed
KillSignal=${stopSignal}
TimeoutStopSec=10
Restart=on-failure
RestartForceExitStatus=SIGHUP SIGINT SIGPIPE SIGTERM
RestartSec=1

[Install]
WantedBy=multi-user.target
`

const TO_CONSOLE = `if (: >/dev/console) 2>/dev/null; then
  exec </dev/null >/dev/console 2>&1
fi
`

/**
 * A script that runs the entrypoint until it succeeds, or ends it as `docker stop` does if its argument is `stop`. The
 * entrypoint is in the foreground: a shell has background processes ignore SIGINT and SIGQUIT, which no program of theirs
 * may undo, and either may be the stop signal.
 */
const supervise = (stopSignal: number): string => `#!/bin/sh
# Runs the image's process, again after a failure; with the argument "stop" ends it. Made by docker-to-disk.
supervisor=/run/${SERVICE}.supervisor.pid
process=/run/${SERVICE}.pid
if [ "$1" = stop ]; then
  # First what would start it again.
  read -r pid <"$supervisor" && kill "$pid"
  if read -r pid <"$process" && kill -${stopSignal} "$pid"; then
    seconds=0
    while [ "$seconds" -lt 10 ] && kill -0 "$pid"; do
      sleep 1
      seconds=$((seconds + 1))
    done
    kill -9 "$pid"
  fi
  rm -f "$supervisor" "$process"
  exit 0
fi 2>/dev/null
${TO_CONSOLE}rm -f "$process"
echo $$ >"$supervisor"
until /bin/sh -c 'echo $$ >"$0"; exec /${ENTRYPOINT}' "$process"; do
  echo "${SERVICE}: ended with status $?, starts again"
  rm -f "$process"
  sleep 1
done
rm -f "$supervisor" "$process"
`

const openrcScript = (folder: string): string => `#!/${folder}/openrc-run
# Made by docker-to-disk.
description="ENTRYPOINT and CMD of the container image"
command=/${SUPERVISE}
command_background=yes
pidfile=/run/${SERVICE}.supervisor.pid

depend() {
	use net logger
	after localmount bootmisc
}

stop() {
	ebegin "Stopping \${RC_SVCNAME}"
	/${SUPERVISE} stop
	eend $?
}
`

/**
 * runsv starts a service again whatever its exit code, so that `finish` has to stay it. What does not end is killed by no one
 * but `sv force-stop`; `control/t` cannot wait for that itself, as runsv reaps the process only after it.
 */
const runitScripts = (stopSignal: number): Readonly<Record<string, string>> => ({
  run: `#!/bin/sh\n${TO_CONSOLE}exec /${ENTRYPOINT}\n`,
  finish: '#!/bin/sh\n# Starts again after a failure only.\n[ "$1" -ne 0 ] || printf d >supervise/control\n',
  'control/t': `#!/bin/sh
# Ends it as \`docker stop\` does.
read -r pid <supervise/pid && kill -${stopSignal} "$pid" || exit
(
  sleep 10
  read -r now <supervise/pid
  [ "$now" != "$pid" ] || kill -9 "$pid"
) </dev/null >/dev/null 2>&1 &
`
})

/** What BusyBox init does without an inittab (init/init.c, parse_inittab). */
const BUSYBOX_INITTAB = `::sysinit:/etc/init.d/rcS
::askfirst:-/bin/sh
tty2::askfirst:-/bin/sh
tty3::askfirst:-/bin/sh
tty4::askfirst:-/bin/sh
::ctrlaltdel:/sbin/reboot
::shutdown:/sbin/swapoff -a
::shutdown:/bin/umount -a -r
::restart:/sbin/init
`

/** The process has to end before anything else does when the machine goes down, hence the first lines. */
function planInittab(draft: Draft, system: 'sysvinit' | 'busybox'): void {
  const present = draft.text('etc/inittab') ?? (system === 'busybox' ? BUSYBOX_INITTAB : '')
  // Of a session that init does not know: it would be ended by SIGTERM at once when the runlevel changes.
  const setsid = findTool(draft.index, 'setsid', /./)
  const start = `${setsid === null ? '' : `${setsid} `}/${SUPERVISE}`
  const lines =
    system === 'busybox'
      ? `::shutdown:/${SUPERVISE} stop\n::once:${start}\n`
      : `d2d0:016:wait:/${SUPERVISE} stop\n`
  const last = system === 'busybox' ? '' : `d2d1:2345:once:${start}\n`
  const gap = present === '' || present.endsWith('\n') ? '' : '\n'
  draft.write('etc/inittab', `${lines}${present}${gap}${last}`)
}
