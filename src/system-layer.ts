import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as core from '@actions/core'
import { BUILDER_NAMES, detectBuilder } from './container.ts'
import { type Builder, buildArgv } from './docker-build.ts'
import { ActionError, saysNoSpace } from './errors.ts'
import type { Host } from './host.ts'
import type { BuildInputs, Inputs } from './inputs.ts'
import type { Addition } from './rootfs.ts'
import { inert } from './text.ts'
import type { Undo } from './undo.ts'

/** Package managers download some hundred megabytes; this only keeps a dead mirror from holding the step for ever. */
const LIMIT = 60 * 60_000

/** Build arguments that every builder knows without ARG and keeps out of the image. */
const PROXIES = /^(?:https?|ftp|all|no)_proxy(?:=|$)/i

/** The Dockerfile of the layer; the commands come from the family's data alone. */
export function layerDockerfile(base: string, { commands }: Pick<Addition, 'commands'>): string {
  const script = [
    'set -eu',
    'export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    ...commands
  ]
  return [
    `FROM ${base}`,
    'USER 0:0',
    // The exec form: the image's own SHELL may be any program.
    `RUN ${JSON.stringify(['/bin/sh', '-c', script.join('\n')])}`,
    ''
  ].join('\n')
}

/** Inputs of the layer's build: what of the user's own build has to do with network and cache. */
export function layerBuild({ source }: Pick<Inputs, 'source'>, builder: string | null): BuildInputs {
  const given = source.kind === 'build' ? source.build : null
  return {
    // The Dockerfile alone, from standard input.
    context: '-',
    file: null,
    target: null,
    buildArgs: given?.buildArgs.filter(argument => PROXIES.test(argument)) ?? [],
    buildContexts: [],
    secrets: [],
    ssh: [],
    labels: [],
    addHosts: given?.addHosts ?? [],
    cacheFrom: [],
    cacheTo: [],
    noCache: given?.noCache ?? false,
    pull: false,
    network: given?.network ?? null,
    builder
  }
}

/**
 * Builds a layer with the packages on top of the image, by the same Docker. Resolves to the new image's id.
 * @throws ActionError if the packages cannot be installed
 */
export async function addSystem(
  host: Host,
  undo: Undo,
  addition: Addition,
  { image, inputs, workDir }: { image: string; inputs: Inputs; workDir: string }
): Promise<string> {
  // BuildKit takes no image id after FROM.
  const base = `docker-to-disk:${undo.runId}`
  const name = { kind: 'image-name', name: base } as const
  undo.register(name)
  await host.run(['docker', 'tag', image, base])
  const kind = await detectBuilder(host)
  const builder = await ownBuilder(host, kind)
  const iidFile = join(workDir, 'system-image-id')
  core.info(`Installing with ${BUILDER_NAMES[kind]}: ${addition.packages.join(' ')}`)
  try {
    const options = { builder: kind, platform: inputs.platform, iidFile, secretPath: (id: string) => id }
    await host.run(buildArgv(layerBuild(inputs, builder), options), {
      env: kind === 'buildx' ? {} : { DOCKER_BUILDKIT: kind === 'buildkit' ? '1' : '0' },
      input: layerDockerfile(base, addition),
      onLine: line => core.info(inert(line)),
      timeout: LIMIT
    })
  } catch (error) {
    if (host.cancelled.aborted || !(error instanceof ActionError) || saysNoSpace(error.message)) throw error
    throw new ActionError(
      `The packages that make the image a machine could not be installed: ${addition.packages.join(' ')}. ${error.message}\n` +
        'If the build has to go through a proxy, set build-args: HTTP_PROXY=…; or install them in the Dockerfile, and nothing is added.',
      'System not installed'
    )
  }
  await undo.release(name)
  return readFileSync(iidFile, 'utf8').trim()
}

/** The builder of the engine itself: those in containers of their own do not see the images that the engine has. */
async function ownBuilder(host: Host, kind: Builder): Promise<string | null> {
  if (kind !== 'buildx') return null
  const context = await host.run(['docker', 'context', 'show'], { allowFailure: true })
  return (context.exitCode === 0 && context.stdout.trim()) || 'default'
}
