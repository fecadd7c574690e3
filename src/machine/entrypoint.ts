import { posix } from 'node:path'
import { ActionError } from '../errors.ts'
import type { Draft } from './draft.ts'
import type { MachineFacts } from './facts.ts'
import { ENTRYPOINT, planSupervision } from './service/inits.ts'
import { type DockerProcess, dockerProcess, findProgram } from './service/process.ts'
import { entrypointScript, volatileFolders } from './service/script.ts'

export const ENTRYPOINT_TEXTS = ['etc/passwd', 'etc/group', 'etc/inittab'] as const

/**
 * Plans that the image's ENTRYPOINT and CMD run as a service with what Docker would give them, if that is wanted.
 * @throws ActionError if there is nothing to run, or the image lacks its program, its user or what starts it
 */
export function planEntrypoint(draft: Draft, facts: MachineFacts): void {
  const { service } = facts
  if (service === null) return
  const { index } = draft
  const process = dockerProcess(service, utf8(draft.text('etc/passwd')), utf8(draft.text('etc/group')))
  checkProgram(draft, facts, process)

  const wanted = [process.workingDir, ...service.volumes]
    .map(path => posix.resolve('/', path).slice(1))
    .filter(path => path !== '')
  for (const path of wanted) if (draft.kind(path) === null) draft.folder(path)

  const ports = service.exposedPorts.map(port => Number.parseInt(port, 10)).filter(port => port > 0)
  const lowestPort = ports.length > 0 ? Math.min(...ports) : null
  const text = entrypointScript(index, process, volatileFolders(index, wanted), lowestPort)
  // The environment may hold what not every user of the machine should read.
  draft.write(ENTRYPOINT, Buffer.from(text), { mode: 0o700, uid: 0, gid: 0 })
  planSupervision(draft, facts, process.stopSignal)
}

const SHELL = /^(?:a|ba|da|z)?sh$/

function checkProgram(draft: Draft, { init }: MachineFacts, process: DockerProcess): void {
  const [program = '', ...args] = process.argv
  const name = program.split('/').pop() ?? ''
  const real = findProgram(draft.index, process)
  // BusyBox is whatever it is called by.
  if (real === init.program && (name === 'init' || !real.endsWith('busybox'))) {
    throw new ActionError(
      `Input entrypoint-service is true, but the image's ENTRYPOINT or CMD is ${program}, the init that the machine starts ` +
        'with anyway. Name the program to serve in the Dockerfile, or leave the input out.',
      'No service to run'
    )
  }
  // Base images have a shell for CMD; without a terminal it ends at once, successfully.
  if (args.length === 0 && SHELL.test(name)) {
    draft.warn(
      `The service of entrypoint-service is just the shell ${program}, which ends as soon as it starts. ` +
        'The CMD is probably that of the base image: add one to the Dockerfile.'
    )
  }
}

const utf8 = (text: string | null): string => Buffer.from(text ?? '', 'latin1').toString()
