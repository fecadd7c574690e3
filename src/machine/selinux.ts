import type { Draft } from './draft.ts'

const CONFIG = 'etc/selinux/config'

export const SELINUX_TEXTS = [CONFIG] as const

/**
 * Files of a container have no SELinux labels, and nothing can set them before the policy is loaded by the machine itself:
 * enforced, the policy would keep the system from starting. The first boot is permissive, and says so in the kernel's log.
 */
export function planSelinux(draft: Draft): void {
  const config = draft.text(CONFIG)
  if (config === null || !/^\s*SELINUX\s*=\s*enforcing\s*$/m.test(config)) return
  const hasPolicy = draft
    .list('etc/selinux')
    .some(name => draft.list(`etc/selinux/${name}/policy`).length > 0)
  // Without a policy nothing is enforced whatever the file says, and the machine starts.
  if (!hasPolicy) return
  draft.write(CONFIG, config.replace(/^(\s*SELINUX\s*=\s*)enforcing\s*$/m, '$1permissive'))
  draft.warn(
    'SELinux is set to permissive: the files of a container image have no labels, and enforced, the policy would keep the ' +
      'machine from starting. To enforce it, run `touch /.autorelabel` (or `fixfiles onboot`) in the machine, restart it, and ' +
      'after it has relabelled its files set SELINUX=enforcing in /etc/selinux/config.'
  )
}
