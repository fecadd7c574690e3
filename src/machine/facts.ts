import type { ImageConfig } from '../container.ts'
import type { Init } from '../distro/init.ts'
import type { Distribution } from '../distro/os-release.ts'

/** What the machine is to be, and what was found in the image. */
export type MachineFacts = Readonly<{
  distribution: Distribution
  init: Init
  hostname: string
  /** Hash of root's password in crypt(5) form. */
  passwordHash: string | null
  /** The root filesystem's line of fstab(5). */
  rootMount: string
  /** Whether there is a login prompt on the first serial port. */
  serialConsole: boolean
  network: 'dhcp' | 'none'
  /** Name of the user that the keys are for, made if absent; null for root. */
  user: string | null
  /** Lines of authorized_keys(5). */
  authorizedKeys: readonly string[]
  /** The image's configuration if its process is to run as a service; null if not. */
  service: ImageConfig | null
}>
