import type { Container } from '../container.ts'
import { CONSOLES_TEXTS, planConsoles } from './consoles.ts'
import { Draft, readTexts } from './draft.ts'
import { ENTRYPOINT_TEXTS, planEntrypoint } from './entrypoint.ts'
import type { MachineFacts } from './facts.ts'
import { IDENTITY_TEXTS, planIdentity } from './identity.ts'
import { NETWORK_TEXTS, planNetwork } from './network.ts'
import { planSelinux, SELINUX_TEXTS } from './selinux.ts'
import { planSsh, SSH_TEXTS } from './ssh.ts'
import { keyTexts, planUsers, USERS_TEXTS } from './users.ts'

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
