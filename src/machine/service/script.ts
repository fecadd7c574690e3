import { ActionError } from '../../errors.ts'
import { isExact, type TreeIndex } from '../../tree.ts'
import type { DockerProcess, Identity } from './process.ts'

/** A folder that the service needs. */
export type ServiceFolder = Readonly<{ path: string; mode: number; uid: number; gid: number }>

/** A word that a POSIX shell reads back as the text, whatever is in it. */
export const quoteWord = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

const BIN_FOLDERS = ['usr/local/sbin', 'usr/local/bin', 'usr/sbin', 'usr/bin', 'sbin', 'bin']

/** Absolute path of a program in the usual folders whose real name, links followed, matches; null if there is none. */
export function findTool(index: TreeIndex, name: string, realName: RegExp): string | null {
  for (const folder of BIN_FOLDERS) {
    const real = index.resolve(`${folder}/${name}`)
    if (real === null || index.entry(real)?.kind !== 'f') continue
    if (realName.test(real.split('/').pop() ?? '')) return `/${folder}/${name}`
  }
  return null
}

/**
 * The words before a command that run it as a user, quoted for a shell.
 * @throws ActionError if no program of the image can do that
 */
export function switchUser(index: TreeIndex, { uid, gid, groups, loginName }: Identity): string {
  // Root has no need of further groups, and no program of its own to get them.
  if (uid === 0 && gid === 0) return ''
  // BusyBox has a setpriv that cannot change the user.
  const setpriv = findTool(index, 'setpriv', /^setpriv$/)
  if (setpriv) return `${setpriv} --reuid ${uid} --regid ${gid} --groups ${groups.join(',')} -- `
  const chpst = findTool(index, 'chpst', /^chpst$/)
  if (chpst) return `${chpst} -u :${[uid, gid, ...groups.filter(group => group !== gid)].join(':')} `
  const gosu = findTool(index, 'gosu', /^gosu/) ?? findTool(index, 'su-exec', /^su-exec/)
  // Both give just the group that is named, or all of the user's if none is.
  if (gosu && groups.length === 1) return `${gosu} ${uid}:${gid} `
  if (gosu && loginName !== null) return `${gosu} ${quoteWord(loginName)} `
  // The su of other packages asks PAM and stays between as a parent.
  const su = findTool(index, 'su', /^(busybox|bbsuid)/)
  if (su && loginName !== null) return `${su} -s /bin/sh -c 'exec "$@"' -- ${quoteWord(loginName)} sh `
  throw new ActionError(
    `The image's process runs as user ${uid} with group ${gid}, but the image has no program that can start it so: looked for ` +
      'setpriv of util-linux, chpst, gosu and su-exec' +
      (su ? ', and su needs a user of that name and group in /etc/passwd. ' : ', and su of BusyBox. ') +
      'Add to the Dockerfile RUN apk add --no-cache setpriv on Alpine, or install util-linux.',
    'No service to run'
  )
}

/** Text of a script that becomes the process, to be run as root. */
export function entrypointScript(
  index: TreeIndex,
  process: DockerProcess,
  folders: readonly ServiceFolder[],
  lowestPort: number | null
): string {
  const { argv, env, identity, workingDir } = process
  const { uid, gid } = identity
  const envTool = findTool(index, 'env', /./)
  if (envTool === null) {
    throw new ActionError(
      'The image has no program env, which gives the service its environment. Install coreutils or busybox in the Dockerfile.',
      'No service to run'
    )
  }
  if (argv[0]?.includes('=')) {
    throw new ActionError(
      `The image's ENTRYPOINT or CMD begins with ${JSON.stringify(argv[0])}: a program whose path holds "=" cannot be started by ` +
        'env. Give it another name in the Dockerfile.',
      'No service to run'
    )
  }
  const variables = [...env].map(([name, value]) =>
    value === null ? `${quoteWord(`${name}=`)}"$hostname"` : quoteWord(`${name}=${value}`)
  )
  return `${[
    '#!/bin/sh',
    "# Becomes the image's ENTRYPOINT and CMD with the user, folder and environment that Docker gives them.",
    '# Made by docker-to-disk.',
    'umask 022',
    ...folders.map(makeFolder),
    ...(lowestPort !== null && lowestPort < 1024 && uid !== 0
      ? [
          '# In a container any user may serve on any port.',
          `echo ${lowestPort} >/proc/sys/net/ipv4/ip_unprivileged_port_start`
        ]
      : []),
    "# The output is a pipe of the user's, as in Docker: a socket or the console could not be opened as /dev/stdout.",
    'pipe=/run/docker-to-disk-entrypoint.pipe',
    'rm -f "$pipe"',
    `if mkfifo -m 600 "$pipe" && chown ${uid}:${gid} "$pipe"; then`,
    '  (cat "$pipe" &)',
    '  exec >"$pipe" 2>&1',
    '  rm -f "$pipe"',
    'fi',
    'read -r hostname </proc/sys/kernel/hostname',
    `cd ${quoteWord(workingDir)} || exit`,
    `exec ${switchUser(index, identity)}${[`${envTool} -i --`, ...variables, ...argv.map(quoteWord)].join(' \\\n  ')}`
  ].join('\n')}\n`
}

const makeFolder = ({ path, mode, uid, gid }: ServiceFolder): string => {
  const word = quoteWord(`/${path}`)
  return `[ -d ${word} ] || { mkdir -p ${word} && chown ${uid}:${gid} ${word} && chmod ${mode.toString(8)} ${word}; }`
}

/** Where a machine may mount a filesystem of its own over what the image has. */
const VOLATILE = /^(run|tmp|dev\/shm)(\/|$)/

/**
 * Folders that have to be made at every start: those that the image has in /run, which is empty after a boot, and those of
 * `wanted` that lie in such a place.
 */
export function volatileFolders(index: TreeIndex, wanted: readonly string[]): ServiceFolder[] {
  const folders = new Map<string, ServiceFolder>()
  const add = (path: string): void => {
    const { mode, uid, gid } = index.entry(path) ?? { mode: 0o755, uid: 0, gid: 0 }
    folders.set(path, { path, mode, uid, gid })
  }
  const walk = (folder: string): void => {
    for (const name of index.list(folder)) {
      const path = `${folder}/${name}`
      if (index.entry(path)?.kind !== 'd' || !isExact(path)) continue
      add(path)
      walk(path)
    }
  }
  if (index.entry('run')?.kind === 'd') walk('run')
  for (const path of wanted.map(path => index.resolve(path) ?? path)) {
    if (VOLATILE.test(path) && path.includes('/') && !folders.has(path)) add(path)
  }
  return [...folders.values()]
}
