import { rmSync, writeFileSync } from 'node:fs'
import * as core from '@actions/core'
import type { BootResult } from './boot-check/boot-check.ts'
import { describeDevices } from './boot-check/devices.ts'
import type { CheckResult } from './boot-check/expectations.ts'
import type { Progress } from './boot-check/failure.ts'
import type { Phase } from './boot-check/phases.ts'
import { type BootTimes, timesMarkdown } from './boot-check/timeline.ts'
import type { DiskPlan } from './disk.ts'
import { SECTOR } from './disk.ts'
import type { Artifact } from './publish.ts'
import type { StageTime } from './stages.ts'
import { formatBytes, formatSeconds, markdownCell, markdownTable, quoteArgv, stripTerminal } from './text.ts'

/** What a run made and found, as the JSON report has it. Sizes in bytes, times in seconds. */
export type Report = Readonly<{
  name: string
  source: string
  distribution: string
  kernelVersion: string
  kernels: readonly string[]
  init: string
  /** Packages added to the image, which lacked them. */
  added: readonly string[]
  disk: Pick<DiskPlan, 'sizeBytes' | 'partition' | 'diskId' | 'filesystem' | 'uuid' | 'label'>
  boot: Readonly<{
    result: 'passed' | 'skipped'
    seconds: number | null
    accelerator: string | null
    evidence: string | null
    /** What held in the machine once it was up; seconds from the sign of success. */
    checks: readonly CheckResult[]
    phases: readonly Phase[]
    /** Names of systemd's units that failed, as far as the console or systemd told. */
    failedUnits: readonly string[]
    /** All machines in the order in which they booted; what is above is of the first. */
    machines: readonly BootResult[]
  }>
  /** The image's process that runs as a service, if one does. */
  service: Readonly<{
    command: readonly string[]
    /** `port/protocol`. */
    exposedPorts: readonly string[]
    volumes: readonly string[]
  }> | null
  files: readonly Readonly<{ name: string; path: string; size: number; sha256: string }>[]
  stages: readonly StageTime[]
  /** From the action's start to the end of the last stage listed. */
  totalSeconds: number
  /** Programs that were run as root. */
  rootPrograms: readonly string[]
}>

export function writeReport(report: Report, path: string): void {
  // A workspace may hold a link of this name.
  rmSync(path, { force: true })
  writeFileSync(path, `${JSON.stringify(report, null, 2)}\n`, { flag: 'wx' })
}

/** The command that starts a machine from an image file; null for files that have to be unpacked first. */
export function startCommand(path: string): string | null {
  const format = { raw: 'raw', qcow2: 'qcow2', vmdk: 'vmdk', vdi: 'vdi', vhd: 'vpc', vhdx: 'vhdx' }[
    path.split('.').pop() ?? ''
  ]
  if (format === undefined) return null
  // A comma in an option's value is doubled.
  return quoteArgv([
    'qemu-system-x86_64',
    '-m',
    '1024',
    '-nographic',
    '-drive',
    `file=${path.replaceAll(',', ',,')},format=${format},if=virtio`
  ])
}

type Row = readonly string[]

/** The job summary in Markdown. */
export function summaryMarkdown(report: Report, artifacts: readonly Artifact[]): string {
  const { disk, boot } = report
  const cell = markdownCell
  const links = new Map(artifacts.map(artifact => [artifact.name, artifact.url]))
  const passed = ({ seconds, accelerator, evidence }: BootResult): string =>
    `passed in ${formatSeconds(seconds)} under ${accelerator.toUpperCase()}: ${cell(evidence)}`
  const { machines } = boot
  const checks: Row[] = machines.flatMap((machine): Row[] => {
    const on = machines.length > 1 ? `, disk on ${machine.devices.diskBus}` : ''
    return [
      [`Boot check${on}`, passed(machine)],
      ...(machine.failedUnits.length > 0
        ? [[`Failed units${on}`, machine.failedUnits.map(cell).join(', ')]]
        : []),
      ...machine.checks.map(({ name, seconds }) => [cell(name) + on, `holds after ${formatSeconds(seconds)}`])
    ]
  })
  const facts = markdownTable(
    ['', ''],
    [
      ['Source', cell(report.source)],
      ['Distribution', cell(report.distribution)],
      ['Kernel', report.kernels.map(cell).join(', ')],
      ['Init', cell(report.init)],
      ['Added to the image', report.added.length === 0 ? 'nothing' : cell(report.added.join(' '))],
      ...serviceRows(report.service),
      ['Disk', `${formatBytes(disk.sizeBytes)}, MBR, disk id ${disk.diskId}`],
      ...(checks.length > 0 ? checks : [['Boot check', 'skipped (boot-test: false)']])
    ]
  )
  const partitions = markdownTable(
    ['Partition', 'Bootable', 'First sector', 'Sectors', 'Size', 'Type', 'UUID'],
    [
      [
        '1',
        'yes',
        `${disk.partition.startSector}`,
        `${disk.partition.sectors}`,
        formatBytes(disk.partition.sectors * SECTOR),
        disk.filesystem,
        disk.uuid
      ]
    ]
  )
  const files = markdownTable(
    ['File', 'Size', 'SHA-256'],
    report.files.map(file => {
      const url = links.get(file.name)
      return [
        url === undefined ? cell(file.name) : `[${cell(file.name)}](${url})`,
        formatBytes(file.size),
        `\`${file.sha256}\``
      ]
    })
  )
  const stages = markdownTable(
    ['Stage', 'Seconds'],
    [
      ...report.stages.map(stage => [stage.name, stage.seconds.toFixed(1)]),
      ['**Total**', `**${report.totalSeconds.toFixed(1)}**`]
    ]
  )
  return `${[
    `## ${cell(report.name)}: disk image ${boot.result === 'passed' ? 'boots' : 'made'}`,
    facts,
    '### Partition table',
    partitions,
    '### Files',
    files,
    '### How to start it',
    instructions(report),
    ...(machines.length > 0 ? ['### Boot', timesMarkdown(machines.map(timesOf))] : []),
    '### Time',
    stages
  ].join('\n\n')}\n`
}

const timesOf = ({ devices, phases, seconds }: BootResult): BootTimes => ({
  machine: describeDevices(devices),
  phases,
  seconds,
  end: 'success'
})

function serviceRows(service: Report['service']): Row[] {
  if (service === null) return []
  const { command, exposedPorts, volumes } = service
  const list = (values: readonly string[]): string => values.map(markdownCell).join(', ')
  return [
    ['Service', markdownCell(quoteArgv(command))],
    ...(exposedPorts.length > 0 ? [['Exposed ports', list(exposedPorts)]] : []),
    ...(volumes.length > 0 ? [['Volumes', list(volumes)]] : [])
  ]
}

function instructions(report: Report): string {
  const commands: string[] = []
  const named = (extension: string): string | undefined =>
    report.files.find(file => file.name.endsWith(extension))?.name
  const first = report.files.map(file => startCommand(file.name)).find(command => command !== null)
  if (first)
    commands.push('# A virtual machine with its serial console in this terminal (Ctrl-A X ends it)', first)
  const raw = named('.raw')
  if (raw)
    commands.push(
      '# A real disk or USB stick: everything on it is overwritten',
      quoteArgv(['sudo', 'dd', `if=${raw}`, 'of=/dev/sdX', 'bs=4M', 'conv=fsync', 'status=progress'])
    )
  const vdi = named('.vdi')
  if (vdi) {
    commands.push(
      '# VirtualBox',
      quoteArgv(['VBoxManage', 'createvm', '--name', report.name, '--ostype', 'Linux_64', '--register']),
      quoteArgv(['VBoxManage', 'storagectl', report.name, '--name', 'SATA', '--add', 'sata']),
      quoteArgv([
        'VBoxManage',
        'storageattach',
        report.name,
        '--storagectl',
        'SATA',
        '--port',
        '0',
        '--type',
        'hdd',
        '--medium',
        vdi
      ])
    )
  }
  const packed = report.files.find(file => /\.(zst|gz|xz)$/.test(file.name))?.name
  if (packed)
    commands.push(
      '# Compressed files are unpacked first',
      quoteArgv([
        { zst: 'unzstd', gz: 'gunzip', xz: 'unxz' }[packed.split('.').pop() ?? ''] ?? 'unzstd',
        packed
      ])
    )
  if (commands.length === 0) return 'Attach the image as the disk of a new machine with BIOS firmware.'
  return ['```sh', ...commands, '```'].join('\n')
}

/**
 * The job summary of a failed run.
 * @param progress of a machine that failed
 */
export const failureMarkdown = (title: string, message: string, progress: Progress | null = null): string =>
  `${[
    `## ${markdownCell(title)}`,
    fenced(stripTerminal(message)),
    ...(progress === null ? [] : ['### Boot', timesMarkdown([{ ...progress, machine: '', end: 'failure' }])])
  ].join('\n\n')}\n`

/** A code block with a fence longer than any run of backticks in the text, so that nothing in it ends it. */
function fenced(text: string): string {
  const fence = '`'.repeat(Math.max(3, ...(text.match(/`+/g) ?? []).map(run => run.length + 1)))
  return `${fence}text\n${text}\n${fence}`
}

/** Adds to the job summary, where there is one. */
export async function addSummary(markdown: string): Promise<void> {
  // Outside of a workflow there is no summary, and the toolkit throws.
  if (!process.env.GITHUB_STEP_SUMMARY) return
  await core.summary.addRaw(markdown).write()
}
