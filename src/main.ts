import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import * as core from '@actions/core'
import { type BootResult, checkBoot } from './boot-check/boot-check.ts'
import { type Devices, lacksDiskDriver, planDevices } from './boot-check/devices.ts'
import { BootFailure } from './boot-check/failure.ts'
import { initOf, STARTER } from './boot-check/guest-tests.ts'
import { junitXml, type TestCase } from './boot-check/junit.ts'
import { installLoader, planLoader, writeBootCode } from './bootloader.ts'
import { type Container, type ImageConfig, obtainImage, openContainer, readImageConfig } from './container.ts'
import {
  checkSpace,
  createDisk,
  type DiskPlan,
  explainFullDisk,
  fillDisk,
  finishDisk,
  type MountedDisk,
  mountDisk,
  planDisk
} from './disk.ts'
import { readDrivers } from './distro/drivers.ts'
import { applyEdits, type Edit } from './edits.ts'
import { ActionError, messageOf, saysNoSpace } from './errors.ts'
import {
  checkImageSizes,
  ImageTooLarge,
  type MadeFile,
  makeFormats,
  settle,
  writeChecksums
} from './formats.ts'
import { CommandError, Host } from './host.ts'
import { type BootInputs, type Inputs, machineName, readInputs } from './inputs.ts'
import { draftMachine } from './machine/plan.ts'
import { hashPassword } from './password.ts'
import { preflight } from './preflight.ts'
import type { Artifact } from './publish.ts'
import {
  addSummary,
  failureMarkdown,
  type Report,
  startCommand,
  summaryMarkdown,
  writeReport
} from './report.ts'
import {
  type Addition,
  logSurvey,
  planAddition,
  requireSystem,
  type Survey,
  type System,
  surveySystem
} from './rootfs.ts'
import { Stages } from './stages.ts'
import { savePackagesLater, saveRun } from './state.ts'
import { addSystem } from './system-layer.ts'
import { formatBytes, inert, inertText } from './text.ts'
import {
  bootCodePath,
  installTools,
  missingTools,
  moduleFolder,
  type Tool,
  type ToolsResult
} from './tools.ts'
import { Undo } from './undo.ts'

/** The first run of the action: from inputs to published files. Sets the exit code; never rejects. */
export async function main(): Promise<void> {
  const cancellation = new AbortController()
  const cancel = (signal: NodeJS.Signals): void =>
    cancellation.abort(new ActionError(`Cancelled by ${signal}.`, 'Cancelled'))
  process.on('SIGINT', cancel).on('SIGTERM', cancel).on('SIGHUP', cancel)
  // A defect of ours still has to give back what was taken.
  process.on('uncaughtException', error => cancellation.abort(error))
  let undo: Undo | null = null
  try {
    const inputs = readInputs()
    const host = new Host(cancellation.signal)
    undo = Undo.begin(host)
    saveRun(undo.runId)
    await makeImage(host, undo, inputs)
  } catch (error) {
    // Whatever breaks when the run is cancelled, that is why.
    const { aborted, reason } = cancellation.signal
    await fail(explainNoSpace(aborted ? reason : error))
  }
  for (const problem of (await undo?.releaseAll()) ?? [])
    core.warning(inert(problem), { title: 'Not cleaned up' })
}

/** Says what to do when a disk of the runner is full; stages that know better have said it already. */
function explainNoSpace(error: unknown): unknown {
  if (error instanceof ActionError && !(error instanceof CommandError)) return error
  if (!saysNoSpace(messageOf(error))) return error
  return new ActionError(
    `The runner's disk is full. Set output-dir to a folder on a larger disk, or free space first. ${messageOf(error)}`,
    'No space left'
  )
}

async function fail(error: unknown): Promise<void> {
  const title = error instanceof ActionError ? error.title : 'docker-to-disk failed'
  // Foreign text in the message must not become a workflow command of its own.
  core.error(inertText(messageOf(error)), { title })
  if (!(error instanceof ActionError) && error instanceof Error) core.info(inertText(error.stack ?? ''))
  process.exitCode = core.ExitCode.Failure
  const progress = error instanceof BootFailure ? error.progress : null
  await addSummary(failureMarkdown(title, messageOf(error), progress)).catch(() => {})
}

/** What the stages share: the machine, what was taken from it, what is wanted, and where things lie. */
type Run = Readonly<{
  host: Host
  undo: Undo
  inputs: Inputs
  stages: Stages
  outputDir: string
  workDir: string
  /** The raw disk while it is made. */
  disk: string
  serialLog: string
  screenshot: string
  junit: string
}>

async function makeImage(host: Host, undo: Undo, inputs: Inputs): Promise<void> {
  const stages = new Stages()
  const outputDir = makeOutputDir(undo, inputs)
  const workDir = join(outputDir, `.docker-to-disk-${undo.runId}`)
  const disk = join(workDir, 'disk.raw')
  const serialLog = join(workDir, `${inputs.name}.console.log`)
  const screenshot = join(workDir, `${inputs.name}.screenshot.png`)
  const junit = join(workDir, `${inputs.name}.junit.xml`)
  const run: Run = { host, undo, inputs, stages, outputDir, workDir, disk, serialLog, screenshot, junit }

  const tools = new BackgroundTools(host, await stages.run('Preflight', () => prepare(run)))
  try {
    const image = await stages.run('Container image', () => obtainImage(host, inputs, workDir))
    const config = await readImageConfig(host, image)
    const bare = await stages.run('File tree', () => openTree(run, image))
    const { survey, addition } = await stages.run('Root filesystem', () => planSystem(run, bare, config))
    const { container, system } =
      addition === null
        ? { container: bare, system: requireSystem(survey) }
        : await stages.run('System', () => completeSystem(run, bare, addition, config))
    await stages.run('Tools', () => tools.finish())
    const service = inputs.entrypointService ? config : null
    const { plan, mounted } = await stages.run('Disk', () => makeDisk(run, container, system, service))
    await stages.run('Boot loader', () => makeBootable(run, container, plan, mounted))
    const made = await stages.run(inputs.boot === null ? 'Formats' : 'Boot check and formats', () =>
      checkAndConvert(run, { container, system, plan })
    )
    const added = addition?.packages ?? []
    await publish(run, { image: container.image, system, added, service, plan, ...made })
  } finally {
    await tools.settled()
  }
}

function makeOutputDir(undo: Undo, { outputDir }: Inputs): string {
  try {
    if (outputDir !== null) {
      mkdirSync(outputDir, { recursive: true })
      return outputDir
    }
    const fresh = join(process.env.RUNNER_TEMP || tmpdir(), `docker-to-disk-${undo.runId}`)
    undo.register({ kind: 'empty-folder', path: fresh })
    mkdirSync(fresh, { mode: 0o700 })
    return fresh
  } catch (error) {
    throw new ActionError(
      `The output folder cannot be made: ${messageOf(error)}. Set output-dir to a folder that can be written.`,
      'No output folder'
    )
  }
}

/** Gives back what dead runs left, looks at the machine, and takes a work folder. Resolves to the tools to install. */
async function prepare({ host, undo, inputs, outputDir, workDir }: Run): Promise<Tool[]> {
  for (const abandoned of Undo.abandoned(host)) {
    core.info(`Cleaning up after a run on this machine that was killed (${abandoned.runId}).`)
    for (const problem of await abandoned.releaseAll())
      core.warning(inert(problem), { title: 'Not cleaned up' })
  }
  await preflight(host, outputDir)
  const missing = missingTools(host, inputs)
  undo.register({ kind: 'folder', path: workDir })
  try {
    mkdirSync(workDir, { mode: 0o700 })
  } catch (error) {
    throw new ActionError(`The output folder cannot be written: ${messageOf(error)}.`, 'No output folder')
  }
  return missing
}

/** Tools are installed while Docker builds; their log is held back until their own stage. */
class BackgroundTools {
  readonly #work: Promise<ToolsResult>
  #print: ((line: string) => void) | null = null
  readonly #held: string[] = []

  constructor(host: Host, missing: readonly Tool[]) {
    this.#work = installTools(host, missing, line =>
      this.#print ? this.#print(line) : this.#held.push(line)
    )
    // Whoever awaits it sees the failure; until then it is no unhandled one.
    this.#work.catch(() => {})
  }

  async finish(): Promise<void> {
    for (const line of this.#held) core.info(line)
    this.#print = core.info
    const { installed, source, save } = await this.#work
    core.info(
      source === 'present'
        ? 'All programs are present.'
        : `Installed from the ${source}: ${installed.join(', ')}`
    )
    if (save) savePackagesLater(save)
  }

  /** Package managers are not interrupted by a failure elsewhere, which would leave half-installed packages. */
  async settled(): Promise<void> {
    await this.#work.catch(() => {})
  }
}

async function openTree({ host, undo, workDir }: Run, image: string): Promise<Container> {
  const container = await openContainer(host, undo, image, workDir)
  const { inodes, bytes } = container.index.measure
  core.info(`${inodes} files and folders, ${formatBytes(bytes)}`)
  return container
}

/** Looks at what the tree has, and tells what is added and why. */
async function planSystem(
  { inputs }: Run,
  container: Container,
  config: ImageConfig
): Promise<{ survey: Survey; addition: Addition | null }> {
  const survey = await surveySystem(container, config, inputs)
  logSurvey(survey)
  const addition = planAddition(survey, inputs, config.onBuild)
  if (addition === null) {
    core.info('Nothing is added to the image.')
    // Whoever plans without them warns of what that means.
    for (const { why } of survey.lacks) core.info(inert(why))
  }
  for (const { part, why, packages } of addition?.parts ?? [])
    core.info(inert(`To be added, ${part}: ${packages.join(' ')}. ${why}`))
  return { survey, addition }
}

/** Adds what is missing in a layer of its own, and looks at the tree anew. */
async function completeSystem(
  run: Run,
  bare: Container,
  addition: Addition,
  config: ImageConfig
): Promise<{ container: Container; system: System }> {
  const { host, undo, inputs, workDir } = run
  await bare.close()
  const image = await addSystem(host, undo, addition, { image: bare.image, inputs, workDir })
  const container = await openTree(run, image)
  const survey = await surveySystem(container, config, inputs)
  logSurvey(survey)
  return { container, system: requireSystem(survey) }
}

async function makeDisk(
  run: Run,
  container: Container,
  system: System,
  service: ImageConfig | null
): Promise<{ plan: DiskPlan; mounted: MountedDisk }> {
  const { host, undo, inputs, workDir, disk } = run
  const { index } = container
  const plan = planDisk(index.measure, inputs)
  checkSpace(workDir, plan, index.measure, inputs)
  core.info(
    `Disk of ${formatBytes(plan.sizeBytes)}: MBR, disk id ${plan.diskId}, one bootable ${plan.filesystem} partition, UUID ${plan.uuid}`
  )
  const draft = await draftMachine(container, {
    distribution: system.distribution,
    init: system.init,
    hostname: machineName(inputs),
    passwordHash: inputs.rootPassword === null ? null : await hashPassword(host, inputs.rootPassword),
    // The last number makes fsck look at it first; what it cannot repair keeps the filesystem read-only.
    rootMount: `UUID=${plan.uuid} / ${plan.filesystem} rw,relatime,errors=remount-ro 0 1`,
    serialConsole: inputs.serialConsole,
    network: inputs.network,
    user: inputs.user,
    authorizedKeys: inputs.authorizedKeys,
    service
  })
  for (const warning of draft.warnings) core.warning(inert(warning), { title: 'About the machine' })
  const { edits } = draft
  const loader = planLoader(index, plan, system.kernels, { ...inputs, moduleFolder: moduleFolder() })
  await createDisk(host, plan, disk)
  const mounted = await mountDisk(host, undo, plan, disk, workDir)
  await fillDisk(host, mounted, container, [...edits, ...loader])
  core.info(
    `Written anew or removed in the image: ${[...edits, ...loader].map(edit => `/${edit.path}`).join(', ')}`
  )
  return { plan, mounted }
}

async function makeBootable(
  { host, undo, disk }: Run,
  container: Container,
  plan: DiskPlan,
  mounted: MountedDisk
): Promise<void> {
  try {
    await installLoader(host, container.index, mounted.mountPoint)
    await finishDisk(host, undo, plan, mounted)
  } catch (error) {
    throw explainFullDisk(error, mounted)
  }
  writeBootCode(disk, bootCodePath())
}

/** Boots the disk while its formats are made; neither is of use if the other fails. */
async function checkAndConvert(
  run: Run,
  { container, system, plan }: Readonly<{ container: Container; system: System; plan: DiskPlan }>
): Promise<{ boots: readonly BootResult[]; files: MadeFile[] }> {
  const { host, undo, inputs, disk, serialLog, screenshot, outputDir, workDir } = run
  const cases: TestCase[] = []
  const stop = new AbortController()
  const converting = makeFormats(
    new Host(AbortSignal.any([host.cancelled, stop.signal])),
    disk,
    inputs.formats,
    inputs.name,
    workDir
  )
  converting.catch(() => {})
  let boots: readonly BootResult[] = []
  try {
    if (inputs.boot !== null) {
      const machines = await chooseMachines(container, system, inputs.boot)
      boots = await checkBoot(host, undo, {
        disk,
        boot: inputs.boot,
        hostname: machineName(inputs),
        machines,
        serialLog,
        screenshot,
        workDir,
        cases,
        init: initOf(inputs.kernelArgs, system.init.path),
        copyDisk: edits => copyDisk(run, { container, system, plan }, edits)
      })
    }
    const files = await converting
    checkImageSizes(files, inputs.maxImageBytes, cases)
    writeCases(run, cases)
    return { boots, files }
  } catch (error) {
    stop.abort(error)
    await converting.catch(() => {})
    if (error instanceof BootFailure || error instanceof ImageTooLarge) {
      writeCases(run, cases)
      const evidence = settleEvidence(outputDir, run)
      if (error instanceof BootFailure) {
        core.setOutput('boot-result', 'failed')
        core.setOutput('boot-cause', error.reason.id)
      }
      await publishEvidence(inputs, evidence, host.cancelled)
    }
    throw error
  }
}

/** A copy of the disk that starts through {@link STARTER}, with files for the boot check in it. */
async function copyDisk(
  { host, undo, inputs, disk, workDir }: Run,
  { container, system, plan }: Readonly<{ container: Container; system: System; plan: DiskPlan }>,
  edits: readonly Edit[]
): Promise<string> {
  const { index } = container
  if (index.kind('bin/sh') !== 'f') {
    throw new ActionError(
      'The image has no /bin/sh, which test-script, test-scripts, fail-on-failed-units and check-persistence need: install one, or leave them out.',
      'No shell in the image'
    )
  }
  const folder = join(workDir, 'copy')
  const copy = join(folder, 'disk.raw')
  mkdirSync(folder)
  await host.run(['cp', '--sparse=always', '--reflink=auto', '--', disk, copy], { timeout: 30 * 60_000 })
  const kernelArgs = `${inputs.kernelArgs} init=${STARTER}`.trim()
  const loader = planLoader(index, plan, system.kernels, {
    ...inputs,
    kernelArgs,
    moduleFolder: moduleFolder()
  })
  const mounted = await mountDisk(host, undo, plan, copy, folder)
  await applyEdits(host, index, mounted.mountPoint, [
    ...edits,
    // The loader itself is installed already.
    ...loader.filter(({ path }) => path.endsWith('.cfg'))
  ])
  for (const resource of mounted.resources.toReversed()) await undo.release(resource)
  return copy
}

/** All checks and how they ended, for readers of test results. */
function writeCases({ inputs, junit }: Run, cases: readonly TestCase[]): void {
  if (cases.length > 0) writeFileSync(junit, junitXml(inputs.name, cases))
}

async function chooseMachines(container: Container, system: System, boot: BootInputs): Promise<Devices[]> {
  const drivers = await readDrivers(container, system.kernels[0])
  const machines = planDevices(boot, drivers)
  for (const machine of machines) {
    const { diskBus } = machine
    if (boot.diskBus === 'auto' && boot.matrix.length === 0 && diskBus !== 'virtio')
      core.info(`The kernel has no driver for a virtio disk: the boot check's disk is on ${diskBus}.`)
    const missing = lacksDiskDriver(machine, drivers)
    if (missing.length > 0)
      core.warning(
        `The kernel has no ${missing.join(', ')}, which a disk on ${diskBus} needs: it may not boot.`
      )
  }
  return machines
}

/** What a boot check leaves, by the name of its output. */
type Evidence = Readonly<Record<string, string>>

/** Gives what the boot check left its final place. */
function settleEvidence(
  outputDir: string,
  { serialLog, screenshot, junit }: Pick<Run, 'serialLog' | 'screenshot' | 'junit'>
): Evidence {
  const evidence: Record<string, string> = {}
  for (const [output, path] of [
    ['serial-log', serialLog],
    ['screenshot', screenshot],
    ['junit', junit]
  ] as const) {
    if (!existsSync(path)) continue
    evidence[output] = join(outputDir, basename(path))
    settle(path, evidence[output])
  }
  return evidence
}

/** What of it is uploaded: test results are for the job's own steps. */
const artifactsOf = ({ junit: _, ...rest }: Evidence): string[] => Object.values(rest)

/** All that is published of an image that did not pass. */
async function publishEvidence(
  { uploadArtifact, retentionDays }: Inputs,
  evidence: Evidence,
  cancelled: AbortSignal
): Promise<void> {
  for (const [output, path] of Object.entries(evidence)) core.setOutput(output, path)
  if (!uploadArtifact) return
  try {
    const { uploadFiles } = await import('./publish.ts')
    await uploadFiles(artifactsOf(evidence), retentionDays, new Map(), cancelled)
  } catch (error) {
    // The reason why the image does not boot is the error to report.
    core.warning(inert(messageOf(error)), { title: 'Console log not uploaded' })
  }
}

type Made = Readonly<{
  image: string
  system: System
  /** Packages added to the image. */
  added: readonly string[]
  service: ImageConfig | null
  plan: DiskPlan
  /** One for each machine of the check; none without one. */
  boots: readonly BootResult[]
  files: readonly MadeFile[]
}>

/** Gives the files their final names, uploads them, and tells about them in report, outputs and summary. */
async function publish(run: Run, made: Made): Promise<void> {
  const { host, inputs, stages, outputDir, workDir } = run
  const files = made.files.map(({ name, path, size, sha256 }) => ({
    from: path,
    name,
    path: join(outputDir, name),
    size,
    sha256
  }))
  const checksums = join(outputDir, 'SHA256SUMS')
  const reportPath = join(outputDir, `${inputs.name}.report.json`)
  const report = (): Report => {
    const { system, service, plan, boots } = made
    const [boot] = boots
    return {
      name: inputs.name,
      source: inputs.source.kind === 'image' ? inputs.source.reference : inputs.source.build.context,
      distribution: system.distribution.name,
      kernelVersion: system.kernels[0].version,
      kernels: system.kernels.map(kernel => kernel.version),
      init: `${system.init.path} (${system.init.system})`,
      added: made.added,
      disk: plan,
      boot: {
        result: boot === undefined ? 'skipped' : 'passed',
        seconds: boot?.seconds ?? null,
        accelerator: boot?.accelerator ?? null,
        evidence: boot?.evidence ?? null,
        checks: boot?.checks ?? [],
        phases: boot?.phases ?? [],
        failedUnits: boot?.failedUnits ?? [],
        machines: boots
      },
      service: service && {
        command: [...service.entrypoint, ...service.cmd],
        exposedPorts: service.exposedPorts,
        volumes: service.volumes
      },
      files: files.map(({ from: _, ...file }) => file),
      stages: stages.times,
      // The clock of performance.now() starts with the process.
      totalSeconds: performance.now() / 1000,
      rootPrograms: host.rootPrograms
    }
  }
  let evidence: Evidence = {}
  const artifacts = await stages.run('Publish', async () => {
    for (const { from, path } of files) settle(from, path)
    evidence = settleEvidence(outputDir, run)
    // As an artifact the checksums need a name that no other job has.
    const sums = join(workDir, `${inputs.name}.SHA256SUMS`)
    writeChecksums(files, sums)
    settleText(path => writeChecksums(files, path), checksums)
    settleText(path => writeReport(report(), path), reportPath)
    // Later steps find the files also if the upload fails.
    setOutputs(report(), [], { checksums, reportPath, evidence })
    return inputs.uploadArtifact
      ? upload([...files.map(file => file.path), sums, ...artifactsOf(evidence), reportPath])
      : []
  })

  function settleText(write: (path: string) => void, path: string): void {
    const draft = join(workDir, basename(path))
    write(draft)
    settle(draft, path)
  }

  async function upload(paths: readonly string[]): Promise<Artifact[]> {
    const { uploadFiles } = await import('./publish.ts')
    return uploadFiles(
      paths,
      inputs.retentionDays,
      new Map(files.map(file => [file.path, file.sha256])),
      host.cancelled
    )
  }

  const complete = report()
  settleText(path => writeReport(complete, path), reportPath)
  setOutputs(complete, artifacts, { checksums, reportPath, evidence })
  await addSummary(summaryMarkdown(complete, artifacts))
  const start = files.map(file => startCommand(file.path)).find(command => command !== null)
  core.info(
    inertText(`Made ${files.map(file => file.path).join(', ')}${start ? `\nStart it with: ${start}` : ''}`)
  )
}

function setOutputs(
  report: Report,
  artifacts: readonly Artifact[],
  paths: { checksums: string; reportPath: string; evidence: Evidence }
): void {
  const [first] = report.files
  const artifact = artifacts.find(({ name }) => name === first?.name)
  const outputs: Record<string, string | number> = {
    image: first?.path ?? '',
    files: [...report.files.map(file => file.path), paths.checksums].join('\n'),
    checksums: paths.checksums,
    'size-bytes': first?.size ?? 0,
    distribution: report.distribution,
    'kernel-version': report.kernelVersion,
    'boot-result': report.boot.result,
    'boot-cause': '',
    'boot-seconds': report.boot.seconds?.toFixed(1) ?? '',
    accelerator: report.boot.accelerator ?? '',
    'serial-log': paths.evidence['serial-log'] ?? '',
    screenshot: paths.evidence.screenshot ?? '',
    junit: paths.evidence.junit ?? '',
    report: paths.reportPath,
    'artifact-id': artifact?.id ?? '',
    'artifact-url': artifact?.url ?? '',
    'artifact-digest': artifact?.digest ?? '',
    artifacts: JSON.stringify(artifacts)
  }
  for (const [name, value] of Object.entries(outputs)) core.setOutput(name, value)
}
