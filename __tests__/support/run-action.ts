// Runs the action on a folder as a workflow would, with a local results service:
//   node __tests__/support/run-action.ts --workspace examples/debian [--input key=value]...
// The files made go to out/.
import { execFile } from 'node:child_process'
import { constants } from 'node:fs'
import { access, chown, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join, relative } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { startResultsService } from './results-service.ts'
import { REPOSITORY, type RunResult, removeRun, runAction } from './runner.ts'

const OUT = join(REPOSITORY, 'out')

/** QEMU's names of the formats it does not call by their file names. */
const DRIVERS: Readonly<Record<string, string>> = { vhd: 'vpc' }
const COMPRESSED = /\.(zst|gz|xz)$/

async function keepFiles({ outputs }: RunResult): Promise<string[]> {
  const names = ['files', 'checksums', 'report', 'serial-log', 'screenshot', 'junit']
  const made = new Set(names.flatMap(name => (outputs[name] ?? '').split('\n').filter(file => file !== '')))
  if (made.size === 0) return []
  await mkdir(OUT, { recursive: true })
  await promisify(execFile)('cp', ['--sparse=always', '--no-preserve=ownership', ...made, OUT])
  const kept = [...made].map(file => join(OUT, basename(file)))
  // Under sudo the files belong to whoever called it.
  const { SUDO_UID = process.getuid?.(), SUDO_GID = process.getgid?.() } = process.env
  for (const path of [OUT, ...kept]) await chown(path, Number(SUDO_UID), Number(SUDO_GID))
  return kept.map(file => relative(process.cwd(), file))
}

async function sayHowToStart(image: string, accelerator: string | undefined): Promise<void> {
  const file = image.replace(COMPRESSED, '')
  const format = file.slice(file.lastIndexOf('.') + 1)
  const drive = `file=${file},format=${DRIVERS[format] ?? format},if=virtio`
  console.log(`\nThe image is ${image}. To start it${file === image ? '' : ' once decompressed'}:\n`)
  console.log(`  qemu-system-x86_64 -m 1024 -nographic -drive ${drive}`)
  const openable = await access('/dev/kvm', constants.R_OK | constants.W_OK).then(
    () => true,
    () => false
  )
  // A boot check that ended with TCG has shown that KVM does not work.
  if (openable && accelerator !== 'tcg') console.log('\nWith `-accel kvm` it is faster.')
}

const { values } = parseArgs({
  options: {
    workspace: { type: 'string' },
    input: { type: 'string', multiple: true, default: [] }
  }
})
if (!values.workspace) throw new Error('Say which folder: --workspace examples/debian')
const inputs = Object.fromEntries(
  values.input.map(input => [input.slice(0, input.indexOf('=')), input.slice(input.indexOf('=') + 1)])
)

// The terminal interrupts the action too, which then undoes what it did: wait for it and run its post step.
process.on('SIGINT', () => console.log('Cancelled'))

const storage = await mkdtemp(join(tmpdir(), 'results-'))
const results = await startResultsService(storage)
try {
  const result = await runAction({ checkout: values.workspace, inputs, results, stream: true })
  console.log()
  for (const { name, size } of results.artifacts.values()) console.log(`Artifact ${name}, ${size} bytes`)
  for (const file of await keepFiles(result)) console.log(`File ${file}`)
  const { image, accelerator } = result.outputs
  if (image) await sayHowToStart(relative(process.cwd(), join(OUT, basename(image))), accelerator)
  process.exitCode = result.exitCode
  await removeRun(result)
} finally {
  await results.close()
  await rm(storage, { recursive: true, force: true })
}
