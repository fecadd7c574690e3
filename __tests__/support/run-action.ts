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
  const files = `${outputs.files}\n${outputs.checksums}\n${outputs.report}\n${outputs['serial-log']}`
  const made = [...new Set(files.split('\n').filter(file => file && file !== 'undefined'))]
  await mkdir(OUT, { recursive: true })
  // Under sudo the files belong to whoever called it.
  const { SUDO_UID, SUDO_GID } = process.env
  const kept = made.map(file => join(OUT, basename(file)))
  for (const [index, file] of made.entries())
    await promisify(execFile)('cp', ['--sparse=always', '--no-preserve=ownership', file, kept[index] ?? ''])
  if (SUDO_UID && SUDO_GID)
    for (const path of [OUT, ...kept]) await chown(path, Number(SUDO_UID), Number(SUDO_GID))
  return kept
}

async function startCommand(image: string): Promise<string> {
  const format = image.slice(image.lastIndexOf('.') + 1)
  const kvm = await access('/dev/kvm', constants.R_OK | constants.W_OK).then(
    () => ' -accel kvm -accel tcg',
    () => ''
  )
  const drive = `file=${image},format=${DRIVERS[format] ?? format},if=virtio`
  return `qemu-system-x86_64${kvm} -m 1024 -nographic -drive ${drive}`
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

const storage = await mkdtemp(join(tmpdir(), 'results-'))
const results = await startResultsService(storage)
try {
  const result = await runAction({ checkout: values.workspace, inputs, results, stream: true })
  const say = (line: string): void => console.log(line)
  say('')
  for (const { name, size } of results.artifacts.values()) say(`Artifact ${name}, ${size} bytes`)
  const image = result.outputs.image
  if (image) {
    for (const file of await keepFiles(result)) say(`File ${relative(process.cwd(), file)}`)
    const file = relative(process.cwd(), join(OUT, basename(image)))
    say(`\nThe image is ${file}. To start it:`)
    if (COMPRESSED.test(file)) say(`  # decompress ${file} first`)
    say(`  ${await startCommand(file.replace(COMPRESSED, ''))}`)
  }
  process.exitCode = result.exitCode
  await removeRun(result)
} finally {
  await results.close()
  await rm(storage, { recursive: true, force: true })
}
