import * as core from '@actions/core'
import type { Container, ImageConfig } from './container.ts'
import { missingForRoot, readDrivers } from './distro/drivers.ts'
import { FAMILIES, familyOf } from './distro/families.ts'
import {
  type Circumstances,
  dockerfileLine,
  type Family,
  installCommands,
  type Part,
  packagesFor
} from './distro/family.ts'
import { findInit, INIT_PATHS, type Init } from './distro/init.ts'
import { findKernels, KERNEL_PLACES, type Kernel } from './distro/kernels.ts'
import { type Distribution, readDistribution } from './distro/os-release.ts'
import { ActionError } from './errors.ts'
import type { Inputs } from './inputs.ts'
import { Draft } from './machine/draft.ts'
import { type Client, chooseClient } from './machine/network.ts'
import { findProgram } from './machine/programs.ts'
import { inert } from './text.ts'

/** What was found in the tree that makes it a system. */
export type System = Readonly<{
  distribution: Distribution
  /** Newest first; at least one. */
  kernels: readonly [Kernel, ...Kernel[]]
  init: Init
}>

/** Something that a machine needs and the tree does not have, with what was looked for. */
export type Lack = Readonly<{ part: Part; why: string }>

/** What the tree has and has not. */
export type Survey = Readonly<{
  distribution: Distribution
  family: Family | null
  /** Newest first. */
  kernels: readonly Kernel[]
  init: Init | null
  networkClient: Client | null
  lacks: readonly Lack[]
  /** Whether the family's package manager, and a shell to run it, are there. */
  hasManager: boolean
  /** Some names at the root, for messages. */
  names: readonly string[]
}>

/** What is wanted of the machine that decides what it needs. */
export type Wishes = Pick<Inputs, 'filesystem' | 'network' | 'user' | 'installSystem' | 'kernel'>

/** Packages to add, by part, and the shell commands that add them. */
export type Addition = Readonly<{
  parts: readonly Readonly<{ part: Part; why: string; packages: readonly string[] }>[]
  packages: readonly string[]
  commands: readonly string[]
}>

/** x86-64 in the ELF header's e_machine. */
const EM_X86_64 = 62
const ELF_MACHINES: Record<number, string> = { 3: 'x86', 40: 'arm', 62: 'x86-64', 183: 'arm64', 243: 'riscv' }

/** Without these nothing starts; the others are wanted, and what is there may do without them. */
const ESSENTIAL: readonly Part[] = ['kernel', 'initrd', 'init']

/**
 * Looks at what the tree has of a machine.
 * @throws ActionError if it is built for another processor
 */
export async function surveySystem(
  container: Container,
  image: ImageConfig,
  wishes: Wishes
): Promise<Survey> {
  const { index } = container
  const distribution = await readDistribution(container)
  const family = familyOf(distribution)
  const init = findInit(index)
  await checkArchitecture(container, image, init)
  const kernels = findKernels(index)
  const initSystem = init?.system ?? family?.init ?? 'other'
  // As it is, with nothing planned yet.
  const draft = new Draft(index, new Map())
  const networkClient = chooseClient(draft, initSystem)

  const lacks: Lack[] = []
  const [newest] = kernels
  if (newest === undefined) {
    const found = index.list('boot')
    lacks.push({
      part: 'kernel',
      why:
        `No kernel in the image: looked for ${KERNEL_PLACES.join(', ')}; ` +
        `${found.length > 0 ? `/boot holds ${found.slice(0, 10).join(', ')}` : '/boot is empty or absent'}.`
    })
  } else if (newest.initrd === null) {
    const missing = missingForRoot(await readDrivers(container, newest), wishes.filesystem)
    if (missing !== null) {
      lacks.push({
        part: 'initrd',
        why: `The kernel ${newest.version} (/${newest.path}) has no initrd, and no driver built in for ${missing}.`
      })
    }
  }
  // BusyBox init starts the system without it too (see the consoles): where packages are added anyway, Alpine's own way is meant.
  const openrc = newest === undefined && (await missingOpenrc(container, init))
  if (init === null)
    lacks.push({
      part: 'init',
      why: `No init in the image: looked for ${INIT_PATHS.map(path => `/${path}`).join(', ')}.`
    })
  else if (openrc) lacks.push({ part: 'init', why: '/etc/inittab starts /sbin/openrc, which is not there.' })
  if (wishes.network === 'dhcp' && networkClient === null)
    lacks.push({ part: 'network', why: `No DHCP client that starts under ${initSystem}.` })
  const login = [['agetty', 'getty'], ['login']].filter(names => findProgram(draft, ...names) === null)
  if (login.length > 0)
    lacks.push({
      part: 'login',
      why: `No login prompt: no ${login.map(names => names[0]).join(' and no ')}.`
    })
  if (wishes.user !== null && findProgram(draft, 'doas', 'sudo') === null)
    lacks.push({ part: 'sudo', why: `Nothing gives ${wishes.user} the rights of root: no sudo, no doas.` })
  return {
    distribution,
    family,
    kernels,
    init,
    networkClient,
    lacks,
    hasManager: family !== null && index.kind(family.manager) === 'f' && index.kind('bin/sh') === 'f',
    names: index.list('').filter(name => !DOCKERS.includes(name))
  }
}

/** What Docker puts into every container. */
const DOCKERS = ['.dockerenv', 'dev', 'etc', 'proc', 'sys']

/** Alpine's container image has an inittab for OpenRC, but no OpenRC. */
async function missingOpenrc(container: Container, init: Init | null): Promise<boolean> {
  if (init?.system !== 'busybox') return false
  const path = container.index.resolve('etc/inittab')
  const inittab = path === null ? null : await container.read(path)
  return /^[^#\n]*:sysinit:\/sbin\/openrc\b/m.test(inittab?.toString('latin1') ?? '')
}

/**
 * Plans what is added to the image; null if nothing is.
 * @param onBuild whether the image has ONBUILD instructions, which run in whatever is built on it
 * @throws ActionError if something essential is missing and cannot be added, or must not be
 */
export function planAddition(survey: Survey, wishes: Wishes, onBuild: boolean): Addition | null {
  const { family, lacks, distribution } = survey
  const essential = lacks.filter(({ part }) => ESSENTIAL.includes(part))
  const problem = essential.map(({ why }) => why)
  const refuse = (...lines: string[]): never => {
    throw new ActionError([...problem, ...lines].join('\n'), 'Not a bootable system')
  }
  if (wishes.installSystem === 'never') {
    if (essential.length === 0) return null
    return refuse(advice(survey, 'set install-system to auto, or '))
  }
  const wanted: readonly Lack[] =
    wishes.installSystem === 'auto'
      ? lacks
      : ([...ESSENTIAL, 'network', 'login'] as const).map(
          part => lacks.find(lack => lack.part === part) ?? { part, why: 'Input install-system is "always".' }
        )
  if (wanted.length === 0) return null
  if (family === null || !survey.hasManager || onBuild) {
    if (essential.length === 0 && wishes.installSystem === 'auto') return null
    if (onBuild)
      return refuse(
        'It cannot be added, for the image has ONBUILD instructions, which would run once more.',
        advice(survey, '')
      )
    return refuse(...cannotComplete(survey))
  }
  const at: Circumstances = {
    id: distribution.id,
    version: distribution.version,
    kernel: wishes.kernel,
    init: survey.init?.system ?? family.init
  }
  const parts = wanted.map(({ part, why }) => ({ part, why, packages: packagesFor(family, part, at) }))
  const packages = [...new Set(parts.flatMap(part => part.packages))]
  const brought = parts.map(({ part }) => part)
  return {
    parts,
    packages,
    commands: [
      ...installCommands(family, brought, packages),
      // Some distributions have the link in a package of its own, whose name changes.
      ...(brought.includes('init') && family.init === 'systemd'
        ? ['[ -e /sbin/init ] || ln -s /usr/lib/systemd/systemd /sbin/init']
        : [])
    ]
  }
}

/** The lines of a Dockerfile that add what is missing. */
function advice({ distribution, family, lacks }: Survey, instead: string): string {
  if (family === null)
    return `The image is ${distribution.name}; install a kernel with its initrd and an init system in the Dockerfile.`
  const lines = lacks
    .filter(({ part }) => ESSENTIAL.includes(part))
    .map(({ part }) => dockerfileLine(family, part, distribution))
  return `The image is ${distribution.name}; ${instead}add to the Dockerfile:\n${lines.join('\n')}`
}

function cannotComplete({ distribution, family, names, kernels, init }: Survey): string[] {
  const what =
    family === null ? distribution.name : `${distribution.name} without /${family.manager} or /bin/sh`
  const parts = [
    kernels.length === 0 ? 'a kernel with its initrd' : '',
    init === null ? 'an init system' : ''
  ]
  return [
    `They cannot be added: the image is ${what}, with ${names.length === 0 ? 'nothing' : names.slice(0, 10).join(', ')} at its root.`,
    `Either build on a distribution that can be completed (${FAMILIES.map(({ name }) => name).join(', ')}), such as`,
    'FROM debian:bookworm',
    'COPY --from=yours /app /app',
    `with your ENTRYPOINT and entrypoint-service: true; or put ${parts.filter(Boolean).join(' and ') || 'an initrd'} into the image in the Dockerfile.`
  ]
}

/**
 * The system that the tree is.
 * @throws ActionError if something essential is missing
 */
export function requireSystem(survey: Survey): System {
  const { distribution, kernels, init, lacks } = survey
  const [newest, ...older] = kernels
  if (newest === undefined || init === null || lacks.some(({ part }) => part === 'initrd')) {
    const problem = lacks.filter(({ part }) => ESSENTIAL.includes(part)).map(({ why }) => why)
    throw new ActionError([...problem, advice(survey, '')].join('\n'), 'Not a bootable system')
  }
  return { distribution, kernels: [newest, ...older], init }
}

/** Tells the log what was found. */
export function logSurvey({ distribution, kernels, init, networkClient }: Survey): void {
  // Names in the tree may hold anything, newlines as well.
  const say = (what: string): void => core.info(inert(what.replaceAll('\n', ' ')))
  const [newest, ...older] = kernels
  say(`Distribution: ${distribution.name}`)
  say(`Kernel: ${newest ? `${newest.version} (/${newest.path})` : 'none'}`)
  if (newest) say(`Initrd: ${newest.initrd === null ? 'none' : `/${newest.initrd}`}`)
  for (const kernel of older) say(`Older kernel, in the boot menu: ${kernel.version} (/${kernel.path})`)
  const link = init === null || init.path === `/${init.program}` ? '' : `, /${init.program}`
  say(`Init: ${init ? `${init.path} (${init.system}${link})` : 'none'}`)
  say(`DHCP client: ${networkClient ?? 'none'}`)
}

/** Programs that an image has, the init aside, by one of which its architecture is known. */
const COMMON_PROGRAMS = ['bin/sh', 'bin/busybox', 'usr/bin/env']

async function checkArchitecture(container: Container, image: ImageConfig, init: Init | null): Promise<void> {
  const refuse = (machine: string, source: string): never => {
    throw new ActionError(
      `The image is built for ${machine} (${source}), but the disk is for an ` +
        'x86-64 machine. Build with --platform linux/amd64 or use an amd64 base image.',
      'Wrong architecture'
    )
  }
  const programs = [init?.program, ...COMMON_PROGRAMS.map(path => container.index.resolve(path))]
  for (const program of programs) {
    if (!program || container.index.entry(program)?.kind !== 'f') continue
    const header = await container.read(program, 20)
    if (program === init?.program && (header === null || header.length < 20))
      throw new ActionError(`/${program}, the init, is empty.`, 'Not a bootable system')
    // A script has no architecture; the kernel starts it through its interpreter.
    if (header === null || header.length < 20 || header.toString('latin1', 0, 4) !== '\x7fELF') continue
    const machine = header.readUInt16LE(18)
    if (machine !== EM_X86_64) refuse(ELF_MACHINES[machine] ?? `ELF machine ${machine}`, `/${inert(program)}`)
    return
  }
  if (!['', 'amd64'].includes(image.architecture)) refuse(image.architecture, "by the image's configuration")
}
