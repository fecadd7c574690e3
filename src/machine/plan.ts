import type { Container, ImageConfig } from '../container.ts'
import type { Init } from '../distro/init.ts'
import type { Distribution } from '../distro/os-release.ts'
import { CONSOLES_TEXTS, planConsoles } from './consoles.ts'
import { Draft, readTexts } from './draft.ts'
import { ENTRYPOINT_TEXTS, planEntrypoint } from './entrypoint.ts'
import { IDENTITY_TEXTS, planIdentity } from './identity.ts'
import { NETWORK_TEXTS, planNetwork } from './network.ts'
import { planSelinux, SELINUX_TEXTS } from './selinux.ts'
import { planSsh, SSH_TEXTS } from './ssh.ts'
import { keyTexts, planUsers, USERS_TEXTS } from './users.ts'

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

/** Files whose present content decides what is written. */
export const MACHINE_TEXTS: readonly string[] = [
  ...IDENTITY_TEXTS,
  ...CONSOLES_TEXTS,
  ...NETWORK_TEXTS,
  ...SELINUX_TEXTS,
  ...USERS_TEXTS,
  ...SSH_TEXTS,
  ...ENTRYPOINT_TEXTS
]

/** Plans all that makes a container's tree a machine, but for kernel and boot loader. */
export function planMachine(draft: Draft, facts: MachineFacts): void {
  planIdentity(draft, facts)
  planConsoles(draft, facts)
  planNetwork(draft, facts)
  planSelinux(draft)
  planUsers(draft, facts)
  planSsh(draft, facts)
  planEntrypoint(draft, facts)
}

/** Reads what the plan depends on, and plans. */
export async function draftMachine(container: Container, facts: MachineFacts): Promise<Draft> {
  const texts = await readTexts(container, MACHINE_TEXTS)
  const further = await readTexts(container, keyTexts(texts.get('etc/passwd') ?? null, facts))
  const draft = new Draft(container.index, new Map([...texts, ...further]))
  planMachine(draft, facts)
  return draft
}
