import type { Draft } from './draft.ts'
import type { MachineFacts } from './plan.ts'

/** Plans how the machine gets its addresses and its name servers. */
export function planNetwork(draft: Draft, { init }: MachineFacts): void {
  const hasResolved = ['usr/lib/systemd/systemd-resolved', 'lib/systemd/systemd-resolved'].some(
    file => draft.kind(file) === 'f'
  )
  // Written whatever the image has: Docker hides it behind an empty file of its own.
  if (init.system === 'systemd' && hasResolved)
    draft.link('etc/resolv.conf', '../run/systemd/resolve/stub-resolv.conf')
  else draft.write('etc/resolv.conf', '# Filled in by the DHCP client.\n', { mode: 0o644 })
}
