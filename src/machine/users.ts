import { ActionError } from '../errors.ts'
import type { Draft } from './draft.ts'
import type { MachineFacts } from './plan.ts'

export const USERS_TEXTS = ['etc/passwd', 'etc/shadow'] as const

/**
 * Plans who may log in.
 * @throws ActionError if root gets a password and the image has no such user
 */
export function planUsers(draft: Draft, { passwordHash }: MachineFacts): void {
  if (passwordHash !== null) planRootPassword(draft, passwordHash)
}

function planRootPassword(draft: Draft, hash: string): void {
  for (const path of ['etc/shadow', 'etc/passwd']) {
    const content = draft.text(path)
    if (content === null || !/^root:/m.test(content)) continue
    // A function: a replacement string would read the hash's dollar signs as references.
    draft.write(
      path,
      content.replace(/^root:[^:\n]*/m, () => `root:${hash}`)
    )
    return
  }
  throw new ActionError(
    'Input root-password is given, but the image has no user root: neither /etc/shadow nor /etc/passwd names one.',
    'No user root'
  )
}
