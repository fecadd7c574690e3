import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BaseImage, ensureBaseImage } from '../support/images.ts'
import { REPOSITORY, removeRun, runAction } from '../support/runner.ts'

const FIXTURES = join(REPOSITORY, '__tests__/fixtures')

type Base = Readonly<{
  images: readonly BaseImage[]
  /** Instructions of a Dockerfile of its own, or a folder that has one. */
  dockerfile?: readonly string[]
  checkout?: string
  inputs?: Readonly<Record<string, string>>
}>

const install = (...packages: string[]): string =>
  `RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ${packages.join(' ')}`

const inits = (target: string): Base => ({
  images: ['debian:bookworm', 'alpine:3.20'],
  checkout: join(FIXTURES, 'inits'),
  inputs: { target }
})

const BOOKWORM = [
  'FROM debian:bookworm',
  install('linux-image-cloud-amd64', 'initramfs-tools', 'systemd-sysv', 'dbus', 'iproute2', 'zstd')
]

/** Disks that boot. A recipe changes the bytes of a copy, so that few of them have to be built. */
const BASES = {
  /** BusyBox init: in six seconds at a prompt. */
  alpine: { images: ['debian:bookworm', 'alpine:3.20'], checkout: join(FIXTURES, 'alpine') },
  /** The procedure's own example: the generic kernel, with drivers for all buses, and systemd. */
  article: { images: ['debian:bookworm'], checkout: join(REPOSITORY, 'examples/debian') },
  /** systemd with the smaller kernel. */
  bookworm: { images: ['debian:bookworm'], dockerfile: BOOKWORM },
  /** With the programs that check ext4 in the initrd, where initramfs-tools puts them only if it sees the root's own device. */
  checked: {
    images: ['debian:bookworm'],
    dockerfile: [
      ...BOOKWORM,
      "RUN printf '%s\\n' '#!/bin/sh' '[ \"$1\" = prereqs ] && exit' '. /usr/share/initramfs-tools/hook-functions' \\",
      "  'copy_exec /sbin/fsck' 'copy_exec /sbin/fsck.ext4' 'copy_exec /sbin/logsave' > /etc/initramfs-tools/hooks/check \\",
      '  && chmod +x /etc/initramfs-tools/hooks/check && update-initramfs -u'
    ]
  },
  trixie: { images: ['debian:trixie'], dockerfile: ['FROM debian:trixie'] },
  bullseye: { images: ['debian:bullseye'], dockerfile: ['FROM debian:bullseye'] },
  sysvinit: inits('sysvinit'),
  openrc: inits('openrc'),
  runit: inits('runit'),
  /** In a container dracut takes the container for the machine: hostonly has it leave out the disk's driver. */
  dracut: {
    images: ['debian:bookworm'],
    dockerfile: [
      'FROM debian:bookworm',
      `RUN mkdir -p /etc/dracut.conf.d && echo 'hostonly="no"' > /etc/dracut.conf.d/all.conf`,
      install('linux-image-cloud-amd64', 'dracut', 'systemd-sysv', 'dbus', 'zstd')
    ]
  },
  /** A policy to enforce on a tree that was never labelled. */
  selinux: {
    images: ['debian:bookworm'],
    dockerfile: [
      'FROM debian:bookworm',
      install(
        ...['linux-image-cloud-amd64', 'initramfs-tools', 'systemd-sysv', 'dbus', 'zstd'],
        ...['selinux-policy-default', 'policycoreutils']
      )
    ],
    inputs: { 'kernel-args': 'security=selinux selinux=1 enforcing=1' }
  }
} satisfies Record<string, Base>

export type BaseName = keyof typeof BASES

/** Where they are kept; what is built anew is what has changed. */
const FOLDER = join(REPOSITORY, 'out/bases')

/** Builds a base with the action itself, unless it was built before. @returns path of the raw disk */
export async function baseDisk(name: BaseName): Promise<string> {
  const base: Base = BASES[name]
  const key = createHash('sha256').update(JSON.stringify(base)).digest('hex').slice(0, 12)
  const kept = join(FOLDER, `${name}-${key}.raw`)
  if (existsSync(kept)) return kept
  for (const image of base.images) await ensureBaseImage(image)
  const context = mkdtempSync(join(tmpdir(), 'base-'))
  try {
    writeFileSync(join(context, 'Dockerfile'), `${base.dockerfile?.join('\n')}\n`)
    const inputs = { formats: 'raw', 'boot-test': 'false', 'upload-artifact': 'false', name, ...base.inputs }
    const run = await runAction({ checkout: base.checkout ?? context, inputs })
    if (run.exitCode !== 0) throw new Error(`Base ${name} was not built:\n${run.log.slice(-4000)}`)
    mkdirSync(FOLDER, { recursive: true })
    const draft = `${kept}.draft`
    execFileSync('cp', ['--sparse=always', run.outputs.image ?? '', draft])
    renameSync(draft, kept)
    await removeRun(run)
    return kept
  } finally {
    rmSync(context, { recursive: true })
  }
}
