import { mkdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import * as core from '@actions/core'
import { extract } from 'tar-stream'
import { type Builder, buildArgv, unsupportedInputs } from './docker-build.ts'
import { ActionError, messageOf } from './errors.ts'
import type { CommandResult, Host, PipeEnd } from './host.ts'
import type { BuildInputs, Inputs } from './inputs.ts'
import { formatBytes, inert } from './text.ts'
import { FIND_FORMAT, type FileKind, FindParser, isExact, roundToBlocks, TreeIndex } from './tree.ts'
import type { Resource, Undo } from './undo.ts'

/** A root filesystem inside Docker, ready to be read. */
export type Container = Readonly<{
  /** Reference as the user knows it: the image's name or its id. */
  image: string
  name: string
  index: TreeIndex
  /** Command whose standard output is the tree as a tar stream. */
  archive: PipeEnd
  /** Whether `archive` says where the holes of sparse files are. */
  keepsHoles: boolean
  /** Content of a regular file by its real path (see {@link TreeIndex.resolve}), cut off at `limit` bytes; null if absent. */
  read(path: string, limit?: number): Promise<Buffer | null>
  /** Gives back what it holds of the machine. */
  close(): Promise<void>
}>

/** What an image says of its process, as `docker image inspect` has it (OCI image specification, config.md). */
export type ImageConfig = Readonly<{
  /** GOARCH name, such as `amd64`. */
  architecture: string
  entrypoint: readonly string[]
  cmd: readonly string[]
  /** `NAME=value`, in order. */
  env: readonly string[]
  /** `user`, `uid`, `user:group` and the like; empty for root. */
  user: string
  /** Absolute path; empty for the root. */
  workingDir: string
  /** Name such as `SIGQUIT` or a number; empty for SIGTERM. */
  stopSignal: string
  /** Absolute paths. */
  volumes: readonly string[]
  /** `port/protocol`. */
  exposedPorts: readonly string[]
  /** Whether what is built on the image runs instructions of its own (ONBUILD). */
  onBuild: boolean
}>

const MINUTE = 60_000
/** A build may take as long as the job: this only keeps a dead daemon from holding the step for ever. */
const BUILD_LIMIT = 6 * 60 * MINUTE
/** Longest option string of mount(2), one page, less what mount(8) adds. */
const MOUNT_OPTIONS_LIMIT = 3900

/** Builds the Dockerfile, or finds the image. Resolves to a reference that `docker create` takes. */
export async function obtainImage(host: Host, inputs: Inputs, workDir: string): Promise<string> {
  const { source } = inputs
  if (source.kind === 'build') return build(host, source.build, inputs.platform, workDir)
  const present = await host.run(['docker', 'image', 'inspect', '--format', '{{.Id}}', source.reference], {
    allowFailure: true
  })
  if (present.exitCode === 0) {
    core.info(`Image ${source.reference} is present.`)
    return source.reference
  }
  try {
    await host.run(['docker', 'pull', '--platform', inputs.platform, source.reference], {
      onLine: line => core.info(inert(line)),
      timeout: 30 * MINUTE
    })
  } catch (error) {
    throw new ActionError(
      `Input image is ${JSON.stringify(source.reference)}, which is neither present nor could be pulled. ${messageOf(error)}`,
      'No such image'
    )
  }
  return source.reference
}

async function build(host: Host, inputs: BuildInputs, platform: string, workDir: string): Promise<string> {
  const builder = await detectBuilder(host)
  const unsupported = unsupportedInputs(inputs, builder)
  if (unsupported.length > 0) {
    throw new ActionError(
      `${unsupported.join(', ')} cannot be honoured: this machine's Docker has ${BUILDER_NAMES[builder]}. ` +
        'Add a step with docker/setup-buildx-action before this one, or leave the input out.',
      'Docker cannot build this'
    )
  }
  core.info(`Building with ${BUILDER_NAMES[builder]}.`)
  const secretDir = join(workDir, 'secrets')
  const secretPath = (id: string): string => join(secretDir, id)
  mkdirSync(secretDir, { mode: 0o700 })
  for (const secret of inputs.secrets) {
    if ('value' in secret) writeFileSync(secretPath(secret.id), secret.value, { mode: 0o600 })
  }
  const iidFile = join(workDir, 'image-id')
  try {
    await host.run(buildArgv(inputs, { builder, platform, iidFile, secretPath }), {
      env: builder === 'buildx' ? {} : { DOCKER_BUILDKIT: builder === 'buildkit' ? '1' : '0' },
      onLine: line => core.info(inert(line)),
      timeout: BUILD_LIMIT
    })
  } catch (error) {
    if (host.cancelled.aborted) throw error
    throw new ActionError(`The Docker build failed. ${messageOf(error)}`, 'Docker build failed')
  } finally {
    rmSync(secretDir, { recursive: true, force: true })
  }
  return readFileSync(iidFile, 'utf8').trim()
}

export const BUILDER_NAMES: Record<Builder, string> = {
  buildx: 'buildx',
  buildkit: 'BuildKit without buildx',
  legacy: 'the legacy builder, without buildx'
}

export async function detectBuilder(host: Host): Promise<Builder> {
  if (process.env.DOCKER_BUILDKIT === '0') return 'legacy'
  const buildx = await host.run(['docker', 'buildx', 'version'], { allowFailure: true })
  if (buildx.exitCode === 0) return 'buildx'
  const client = await host.run(['docker', 'version', '--format', '{{.Client.Version}}'], {
    allowFailure: true
  })
  // From 23.0 on the client's own BuildKit is gone: DOCKER_BUILDKIT=1 then fails without the buildx plugin.
  return Number.parseInt(client.stdout, 10) < 23 ? 'buildkit' : 'legacy'
}

/** Reads the configuration of an image that is present. */
export async function readImageConfig(host: Host, image: string): Promise<ImageConfig> {
  const inspected = await host.run(['docker', 'image', 'inspect', '--format', '{{json .}}', image])
  const { Architecture, Config } = JSON.parse(inspected.stdout)
  return {
    architecture: Architecture ?? '',
    entrypoint: Config?.Entrypoint ?? [],
    cmd: Config?.Cmd ?? [],
    env: Config?.Env ?? [],
    user: Config?.User ?? '',
    workingDir: Config?.WorkingDir ?? '',
    stopSignal: Config?.StopSignal ?? '',
    volumes: Object.keys(Config?.Volumes ?? {}),
    exposedPorts: Object.keys(Config?.ExposedPorts ?? {}),
    onBuild: (Config?.OnBuild ?? []).length > 0
  }
}

/** Makes a container of the image, never started, and reads the names of its files. */
export async function openContainer(
  host: Host,
  undo: Undo,
  image: string,
  workDir: string
): Promise<Container> {
  const name = `docker-to-disk-${undo.runId}`
  const held: Resource[] = []
  const hold = (resource: Resource): void => {
    undo.register(resource)
    held.unshift(resource)
  }
  hold({ kind: 'container', name })
  // The command is never run; it lets an image that names none become a container.
  await host.run(['docker', 'create', '--name', name, '--network', 'none', image, '/docker-to-disk'], {
    timeout: 10 * MINUTE
  })
  const read = (path: string, limit = 1 << 20): Promise<Buffer | null> =>
    readFromContainer(host, name, path, limit)
  const layers = await mountLayers(host, name, workDir, hold)
  const tree = layers ? await readMounted(host, layers) : await readExported(host, name, workDir)
  const close = async (): Promise<void> => {
    for (const resource of held) await undo.release(resource)
  }
  return { image, name, read, close, ...tree }
}

type Tree = Pick<Container, 'index' | 'archive' | 'keepsHoles'>

async function readMounted(host: Host, mountPoint: string): Promise<Tree> {
  const parser = new FindParser()
  const find = host.startAsRoot(['find', mountPoint, '-printf', FIND_FORMAT], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  find.stdout?.on('data', (chunk: Buffer) => parser.write(chunk))
  const { exitCode } = await find.ended
  if (exitCode !== 0)
    throw new ActionError(`find could not read the container's files (exit code ${exitCode}).`)
  return {
    index: parser.index,
    keepsHoles: true,
    archive: {
      asRoot: true,
      argv: [
        ...['tar', '--create', '--file', '-', '--directory', mountPoint],
        ...['--format', 'posix', '--pax-option', 'delete=atime,delete=ctime'],
        ...[
          '--numeric-owner',
          '--acls',
          '--xattrs',
          '--xattrs-include',
          '*',
          '--sparse',
          '--blocking-factor',
          '512'
        ],
        '.'
      ]
    }
  }
}

/**
 * As {@link readMounted}, where the layers cannot be mounted: two passes of `docker export`, the first for the names. Of
 * extended attributes Docker exports file capabilities alone: ACLs and user attributes are lost this way.
 */
async function readExported(host: Host, name: string, workDir: string): Promise<Tree> {
  const argv = ['docker', 'export', name]
  const index = new TreeIndex()
  const running = host.start(argv, { stdio: ['ignore', 'pipe', 'inherit'] })
  if (!running.stdout) throw new ActionError('docker export has no output.')
  const parser = extract()
  const { bavail, bsize } = statfsSync(workDir)
  const free = bavail * bsize
  parser.on('entry', (header, stream, next) => {
    const kind = TAR_KINDS[header.type ?? 'file']
    const path = header.name.replace(/^(\.?\/)+/, '').replace(/\/$/, '')
    if (kind !== undefined && path !== '') {
      const size = header.size ?? 0
      const link = kind === 'l' ? (header.linkname ?? '') : null
      const isFurtherName = header.type === 'link'
      const { mode = 0, uid = 0, gid = 0 } = header
      const entry = { kind, mode, uid, gid, size: link?.length ?? size, link }
      // Holes come as zeros: a sparse file of a terabyte would take an hour to find out what its size says.
      if (size > free) {
        parser.destroy(
          new ActionError(
            `${workDir} has ${formatBytes(free)} free, but the image's files take more: /${inert(path)} has ${formatBytes(size)}.`,
            'Not enough disk space'
          )
        )
        return
      }
      index.add(
        path,
        isFurtherName ? (index.entry(header.linkname ?? '') ?? entry) : entry,
        roundToBlocks(size),
        !isFurtherName
      )
    }
    stream.on('end', next)
    stream.on('error', () => {}) // the pipeline has the same error
    stream.resume()
  })
  const problem = await pipeline(running.stdout, parser).then(
    () => null,
    error => error as Error
  )
  if (problem !== null) await running.end()
  // What this process found in the files, not what the engine did.
  if (problem instanceof ActionError) throw problem
  const { exitCode } = await running.ended
  if (exitCode !== 0 || problem !== null) {
    throw new ActionError(
      `docker export, which reads the container's files, failed with exit code ${exitCode}${problem === null ? '' : ` (${problem.message})`}. ` +
        "If the engine died, its own log says why; docker's words are in the log above.",
      'Docker failed'
    )
  }
  return { index, archive: { asRoot: false, argv }, keepsHoles: false }
}

const TAR_KINDS: Record<string, FileKind> = {
  file: 'f',
  'contiguous-file': 'f',
  link: 'f',
  symlink: 'l',
  directory: 'd',
  'character-device': 'c',
  'block-device': 'b',
  fifo: 'p'
}

/**
 * Mounts the container's layers read-only, which is two to three times as fast as `docker export`.
 * Null where that is not possible: another storage driver or the containerd store, a remote or rootless engine, mapped
 * user ids, more layers than one mount call takes.
 */
async function mountLayers(
  host: Host,
  name: string,
  workDir: string,
  hold: (resource: Resource) => void
): Promise<string | null> {
  const because = (reason: string): null => {
    core.info(`The tree is read with docker export, since ${reason}.`)
    return null
  }
  const info = await host.run(['docker', 'info', '--format', '{{json .SecurityOptions}}'], {
    allowFailure: true
  })
  if (/name=(rootless|userns)/.test(info.stdout)) return because('the engine maps user ids')
  const graph = await host.run(['docker', 'container', 'inspect', '--format', '{{json .GraphDriver}}', name])
  const lowerDirs = overlayLayers(graph.stdout)
  if (lowerDirs === null) return because('the storage driver is not overlay2')
  const options = `ro,nodev,nosuid,noexec,lowerdir=${lowerDirs.join(':')}`
  if (options.length > MOUNT_OPTIONS_LIMIT)
    return because(`${lowerDirs.length} layers are too many for one mount`)

  const target = join(workDir, 'layers')
  mkdirSync(target, { recursive: true })
  hold({ kind: 'mount', target })
  const mounted: CommandResult = await host.runAsRoot(
    ['mount', '-t', 'overlay', '-o', options, 'overlay', target],
    {
      allowFailure: true,
      timeout: MINUTE
    }
  )
  return mounted.exitCode === 0
    ? target
    : because(`its layers cannot be mounted (${inert(mounted.stderr.trim())})`)
}

/** Folders of a container's layers, topmost first, from `docker inspect`'s GraphDriver; null if it is not overlay2. */
export function overlayLayers(graphDriver: string): string[] | null {
  const { Name, Data } = JSON.parse(graphDriver || 'null') ?? {}
  if (Name !== 'overlay2' || !Data?.LowerDir || !Data.UpperDir) return null
  const folders: string[] = [Data.UpperDir, ...Data.LowerDir.split(':')]
  // mount(8) separates options by commas and folders by colons; backslashes escape.
  return folders.every(folder => /^\/[^,:\\]+$/.test(folder)) ? folders : null
}

async function readFromContainer(
  host: Host,
  name: string,
  path: string,
  limit: number
): Promise<Buffer | null> {
  if (!isExact(path)) return null
  // Docker resolves the path inside the container's root itself.
  const running = host.start(['docker', 'cp', `${name}:/${path}`, '-'], {
    stdio: ['ignore', 'pipe', 'ignore']
  })
  const chunks: Buffer[] = []
  let size = 0
  let isFile: boolean | null = null
  const parser = extract()
  parser.on('entry', (header, stream, next) => {
    // Of a folder its first entry is the folder itself; the files in it are not asked for.
    isFile ??= header.type === 'file'
    stream.on('data', data => {
      if (size >= limit) return
      const chunk = data as Buffer
      chunks.push(chunk)
      size += chunk.length
      if (size >= limit) void running.end(0)
    })
    stream.on('end', next)
    stream.on('error', () => {}) // of a file cut off; the pipeline has the same error
  })
  // Ended early or absent: what has arrived is the answer.
  if (running.stdout) await pipeline(running.stdout, parser).catch(() => {})
  await running.ended
  return isFile ? Buffer.concat(chunks).subarray(0, limit) : null
}
