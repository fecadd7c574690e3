import * as core from '@actions/core'
import type { Container } from './container.ts'
import { familyOf } from './distro/families.ts'
import { findInit, INIT_PATHS, type Init } from './distro/init.ts'
import { findKernels, KERNEL_PLACES, type Kernel } from './distro/kernels.ts'
import { type Distribution, readDistribution } from './distro/os-release.ts'
import { ActionError } from './errors.ts'
import { inert } from './text.ts'

/** What was found in the tree that makes it a system. */
export type System = Readonly<{
  distribution: Distribution
  /** Newest first; at least one. */
  kernels: readonly [Kernel, ...Kernel[]]
  init: Init
}>

/** x86-64 in the ELF header's e_machine. */
const EM_X86_64 = 62
const ELF_MACHINES: Record<number, string> = { 3: 'x86', 40: 'arm', 62: 'x86-64', 183: 'arm64', 243: 'riscv' }

/**
 * Finds distribution, kernels and init.
 * @throws ActionError that says what was looked for, what was found and the Dockerfile line that adds it
 */
export async function findSystem(container: Container): Promise<System> {
  const { index } = container
  const distribution = await readDistribution(container)
  const family = familyOf(distribution)
  const init = findInit(index)
  const [newest, ...older] = findKernels(index)

  const missing: string[] = []
  if (newest === undefined) {
    const found = index.list('boot')
    missing.push(
      `No kernel in the image: looked for ${KERNEL_PLACES.join(', ')}; ` +
        `${found.length > 0 ? `/boot holds ${found.slice(0, 10).join(', ')}` : '/boot is empty or absent'}.`
    )
  }
  if (init === null)
    missing.push(`No init in the image: looked for ${INIT_PATHS.map(path => `/${path}`).join(', ')}.`)
  if (newest === undefined || init === null) {
    const lines =
      family &&
      [newest === undefined ? family.kernelLine : '', init === null ? family.initLine : ''].filter(Boolean)
    const advice = lines
      ? `The image is ${distribution.name}; add to the Dockerfile:\n${lines.join('\n')}`
      : `The image is ${distribution.name}; install a kernel with its initrd and an init system in the Dockerfile.`
    throw new ActionError([...missing, advice].join('\n'), 'Not a bootable system')
  }

  await checkArchitecture(container, init)
  // Names in the tree may hold anything, newlines as well.
  const say = (what: string): void => core.info(inert(what.replaceAll('\n', ' ')))
  say(`Distribution: ${distribution.name}`)
  say(`Kernel: ${newest.version} (/${newest.path})`)
  say(`Initrd: ${newest.initrd === null ? 'none' : `/${newest.initrd}`}`)
  for (const kernel of older) say(`Older kernel, in the boot menu: ${kernel.version} (/${kernel.path})`)
  say(`Init: ${init.path} (${init.system}${init.path === `/${init.program}` ? '' : `, /${init.program}`})`)
  return { distribution, kernels: [newest, ...older], init }
}

async function checkArchitecture(container: Container, init: Init): Promise<void> {
  const header = await container.read(init.program, 20)
  if (header === null || header.length < 20)
    throw new ActionError(`/${init.program}, the init, is empty.`, 'Not a bootable system')
  const isElf = header.subarray(0, 4).equals(Buffer.from('\x7fELF', 'latin1'))
  const machine = isElf ? header.readUInt16LE(18) : null
  // A script has no architecture; the kernel starts it through its interpreter.
  if (machine !== null && machine !== EM_X86_64) {
    throw new ActionError(
      `The image is built for ${ELF_MACHINES[machine] ?? `ELF machine ${machine}`} (/${init.program}), but the disk is for an ` +
        'x86-64 machine. Build with --platform linux/amd64 or use an amd64 base image.',
      'Wrong architecture'
    )
  }
}
