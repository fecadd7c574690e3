import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { REPOSITORY } from './runner.ts'

const BASE_IMAGES = ['debian:bookworm', 'debian:trixie', 'debian:bullseye', 'alpine:3.20'] as const
export type BaseImage = (typeof BASE_IMAGES)[number]

const ALPINE_ARCHIVE = join(REPOSITORY, '../shared/images/alpine-minirootfs-3.20.3-x86_64.tar.gz')

/** What debootstrap copies from this machine or leaves behind, and what the published images do not hold. */
const NOT_IN_IMAGE = [
  './dev/*',
  './etc/hostname',
  './etc/resolv.conf',
  './var/cache/apt/*.bin',
  './var/cache/apt/archives/*.deb',
  './var/lib/apt/lists/*',
  './var/log/bootstrap.log'
]

const MINUTE = 60_000
const run = promisify(execFile)

/** Makes sure that Docker has the image: as it is, else from the registry, else made here. */
export async function ensureBaseImage(image: BaseImage): Promise<void> {
  if (await succeeds('docker', 'image', 'inspect', image)) return
  if (await succeeds('docker', 'pull', '--quiet', image)) return
  if (image.startsWith('debian:')) await importDebian(image)
  else await importAlpine(image)
}

const succeeds = (program: string, ...args: string[]): Promise<boolean> =>
  run(program, args, { timeout: 3 * MINUTE }).then(
    () => true,
    () => false
  )

async function importDebian(image: BaseImage): Promise<void> {
  if (!(await succeeds('which', 'debootstrap')))
    throw new Error(`${image} is not to be pulled, and debootstrap, which would make it, is not installed.`)
  const suite = image.replace('debian:', '')
  const sudo = process.getuid?.() === 0 ? [] : ['sudo', '-n']
  const root = (...command: string[]) => [...sudo, ...command] as [string, ...string[]]
  const folder = await mkdtemp(join(tmpdir(), 'debootstrap-'))
  const tree = join(folder, suite)
  try {
    const [program, ...args] = root('debootstrap', '--variant=minbase', suite, tree)
    await run(program, args, { timeout: 15 * MINUTE, maxBuffer: Number.POSITIVE_INFINITY })
    const excludes = NOT_IN_IMAGE.map(pattern => `--exclude=${pattern}`)
    const tar = ['tar', '-C', tree, '--numeric-owner', '--xattrs', ...excludes, '-c', '.']
    await pipe(root(...tar), ['docker', 'import', '--change', 'CMD ["bash"]', '-', image])
  } finally {
    const [program, ...args] = root('rm', '-rf', folder)
    await run(program, args)
  }
}

async function importAlpine(image: BaseImage): Promise<void> {
  await access(ALPINE_ARCHIVE).catch(() => {
    throw new Error(
      `${image} is not to be pulled, and ${ALPINE_ARCHIVE}, which would make it, does not exist.`
    )
  })
  await run('docker', ['import', '--change', 'CMD ["/bin/sh"]', ALPINE_ARCHIVE, image])
}

async function pipe(from: readonly string[], to: readonly string[]): Promise<void> {
  const start = ([program = '', ...args]: readonly string[]) =>
    spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const [source, sink] = [start(from), start(to)]
  const ends = [source, sink].map(async child => {
    const [code] = await once(child, 'exit')
    if (code !== 0) throw new Error(`${child.spawnargs.join(' ')} ended with exit code ${code}.`)
  })
  sink.stdout.resume()
  await Promise.all([...ends, pipeline(source.stdout, sink.stdin)])
}

if (import.meta.main) {
  for (const name of process.argv.slice(2)) {
    const image = BASE_IMAGES.find(image => image === name)
    if (!image) throw new Error(`There is no recipe for ${name}, only for ${BASE_IMAGES.join(', ')}.`)
    await ensureBaseImage(image)
  }
}
