import { existsSync, statfsSync } from 'node:fs'
import { ActionError } from './errors.ts'
import type { Host } from './host.ts'
import { formatBytes, MIB } from './text.ts'

/** The least that any run needs: programs, a small tree and its image. */
const LEAST_FREE = 1024 * MIB

/**
 * Makes sure that the machine can do the work, before any of it.
 * @throws ActionError with one sentence on what is missing and what to do
 */
export async function preflight(host: Host, outputDir: string): Promise<void> {
  if (process.platform !== 'linux') {
    const system = { darwin: 'macOS', win32: 'Windows' }[process.platform as string] ?? process.platform
    throw refuse(
      `This runner is ${system}, but making a disk image needs Linux: set runs-on to ubuntu-latest.`
    )
  }
  if (process.arch !== 'x64') {
    throw refuse(
      `This runner is ${process.arch}, but only x86-64 is supported for now: set runs-on to ubuntu-latest.`
    )
  }
  const inContainer = existsSync('/.dockerenv') || existsSync('/run/.containerenv')
  if (!host.isRoot) {
    const argv = ['sudo', '-n', 'true']
    const sudo =
      host.which('sudo') === null ? null : await host.run(argv, { allowFailure: true, timeout: 20_000 })
    if (sudo?.exitCode !== 0) {
      throw refuse(
        `The user ${host.user.name} is not root and has no passwordless sudo, which mounting the image needs. ` +
          (inContainer
            ? 'The job runs in a container: remove container: from the job.'
            : 'Allow it in /etc/sudoers.d on a self-hosted runner.')
      )
    }
  }
  if (!existsSync('/dev/loop-control') && !existsSync('/dev/loop0')) {
    throw refuse(
      'This machine offers no loop devices (/dev/loop-control is absent). ' +
        (inContainer
          ? 'The job runs in a container without privileges: remove container: from the job.'
          : 'Load the kernel module loop.')
    )
  }
  if (host.which('docker') === null)
    throw refuse('There is no docker on the PATH: install a Docker engine, or use a hosted Ubuntu runner.')
  const docker = await host.run(['docker', 'version', '--format', '{{.Server.Version}}'], {
    allowFailure: true,
    timeout: 60_000
  })
  if (docker.exitCode !== 0) {
    const words = docker.stderr.trim().split('\n').pop() ?? ''
    throw refuse(
      `The Docker engine does not answer: ${words || 'docker version failed'} Start it, or add the user ${host.user.name} to the group docker.`
    )
  }
  const { bavail, bsize } = statfsSync(outputDir)
  if (bavail * bsize < LEAST_FREE) {
    throw refuse(
      `${outputDir} has ${formatBytes(bavail * bsize)} free, but at least ${formatBytes(LEAST_FREE)} are needed. Set output-dir to a folder on a larger disk.`
    )
  }
}

const refuse = (message: string): ActionError => new ActionError(message, 'Unsuitable machine')
