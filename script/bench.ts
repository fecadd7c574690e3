// What script/bench measures, in turn, on examples/debian with Docker's layers cached, raw and qcow2, no boot check:
//   article  the procedure of "From Docker Container to Bootable Linux Disk Image" by hand: export to a tar, untar, dd, mkfs,
//            cp, extlinux, qemu-img convert -c
//   action   the bundle, from its start to its end, and of that the stages that fill the disk
//   floor    cp -a of the same tree onto the same kind of loop-mounted filesystem, and its unmounting
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { REPOSITORY, removeRun, runAction } from '../__tests__/support/runner.ts'

const ROUNDS = Number(process.argv[2] ?? 3)
const EXAMPLE = join(REPOSITORY, 'examples/debian')
/** The stages between the tree in Docker and the finished filesystem. */
const FILLING = ['Disk', 'Boot loader']
const IMAGE = 'docker-to-disk-bench'
const DISK_MIB = 1280

type Figures = { article: number; action: number; fill: number; floor: number; peakRssMiB: number }

/** Runs a program as root; its output only if it fails. */
function root(...argv: string[]): string {
  const [program = '', ...args] = process.getuid?.() === 0 ? argv : ['sudo', '-n', ...argv]
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` }
  return execFileSync(program, args, { encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'pipe'] })
}

function seconds(work: () => void): number {
  const begin = performance.now()
  work()
  return (performance.now() - begin) / 1000
}

/** A fresh folder for one measurement, with nothing of the one before still to be written. */
function inFolder<T>(work: (path: (name: string) => string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'))
  root('sync')
  try {
    return work(name => join(folder, name))
  } finally {
    root('rm', '-rf', folder)
  }
}

/** An empty ext4 filesystem in a partition of a disk file, mounted. */
function mountNew(disk: string, at: string): void {
  root('sh', '-c', `echo 'start=2048, type=83, bootable' | sfdisk --quiet --label dos '${disk}'`)
  const loop = root('losetup', '--find', '--show', '--offset', '1048576', disk).trim()
  root('mkfs.ext4', '-q', loop)
  mkdirSync(at)
  root('mount', loop, at)
}

function unmount(at: string): void {
  const loop = root('findmnt', '--noheadings', '--output', 'SOURCE', at).trim()
  root('umount', at)
  root('losetup', '--detach', loop)
}

function article(): number {
  return inFolder(path =>
    seconds(() => {
      root('docker', 'build', '--quiet', '--tag', IMAGE, EXAMPLE)
      const container = root('docker', 'create', IMAGE).trim()
      root('docker', 'export', '--output', path('linux.tar'), container)
      root('docker', 'rm', container)
      mkdirSync(path('linux'))
      root('tar', '--numeric-owner', '-xf', path('linux.tar'), '-C', path('linux'))
      root('dd', 'if=/dev/zero', `of=${path('linux.img')}`, 'bs=1M', `count=${DISK_MIB}`)
      mountNew(path('linux.img'), path('mnt'))
      root('cp', '-a', `${path('linux')}/.`, path('mnt'))
      root('extlinux', '--install', path('mnt/boot'))
      unmount(path('mnt'))
      root(
        'dd',
        'if=/usr/lib/syslinux/mbr/mbr.bin',
        `of=${path('linux.img')}`,
        'bs=440',
        'count=1',
        'conv=notrunc'
      )
      root('qemu-img', 'convert', '-c', '-O', 'qcow2', path('linux.img'), path('linux.qcow2'))
    })
  )
}

/** From the container's own layers, as the action reads them; mkfs and mount are not counted. */
function floor(): number {
  return inFolder(path => {
    const container = root('docker', 'create', IMAGE).trim()
    const layers = root(
      'docker',
      'inspect',
      '--format',
      '{{.GraphDriver.Data.UpperDir}}:{{.GraphDriver.Data.LowerDir}}',
      container
    )
    mkdirSync(path('tree'))
    root('mount', '-t', 'overlay', '-o', `ro,lowerdir=${layers.trim()}`, 'overlay', path('tree'))
    root('truncate', '--size', `${DISK_MIB}M`, path('disk'))
    mountNew(path('disk'), path('mnt'))
    const time = seconds(() => {
      root('cp', '-a', `${path('tree')}/.`, path('mnt'))
      root('umount', path('mnt'))
    })
    root('sh', '-c', `losetup --detach $(losetup --noheadings --output NAME --associated '${path('disk')}')`)
    root('umount', path('tree'))
    root('docker', 'rm', container)
    return time
  })
}

async function action(): Promise<Pick<Figures, 'action' | 'fill' | 'peakRssMiB'>> {
  root('sync')
  const inputs = { formats: 'raw, qcow2', 'boot-test': 'false', 'upload-artifact': 'false' }
  const run = await runAction({ checkout: EXAMPLE, inputs })
  if (run.exitCode !== 0) throw new Error(run.log.slice(-3000))
  const { stages } = JSON.parse(readFileSync(run.outputs.report ?? '', 'utf8')) as {
    stages: { name: string; seconds: number }[]
  }
  const fill = stages
    .filter(({ name }) => FILLING.includes(name))
    .reduce((sum, stage) => sum + stage.seconds, 0)
  console.log(stages.map(stage => `${stage.name} ${stage.seconds.toFixed(1)}`).join(', '))
  await removeRun(run)
  return { action: run.seconds, fill, peakRssMiB: run.peakRssBytes / 1024 ** 2 }
}

const median = (values: number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

// The first run builds, installs what is missing and fills the caches; it does not count.
await action()
article()
const rounds: Figures[] = []
for (let round = 1; round <= ROUNDS; round++) {
  const figures = { article: article(), ...(await action()), floor: floor() }
  rounds.push(figures)
  console.log(
    `round ${round}: ${Object.entries(figures)
      .map(([name, value]) => `${name} ${value.toFixed(1)}`)
      .join(', ')}`
  )
}
const of = (name: keyof Figures): number => median(rounds.map(figures => figures[name]))
console.log(`\nMedians of ${ROUNDS} rounds, seconds:`)
for (const name of ['article', 'action', 'fill', 'floor'] as const)
  console.log(`  ${name.padEnd(8)} ${of(name).toFixed(1)}`)
console.log(`article / action: ${median(rounds.map(({ article, action }) => article / action)).toFixed(2)}`)
console.log(`fill / floor: ${median(rounds.map(({ fill, floor }) => fill / floor)).toFixed(2)}`)
console.log(
  `peak memory of the action's process: ${Math.max(...rounds.map(({ peakRssMiB }) => peakRssMiB)).toFixed(0)} MiB`
)
