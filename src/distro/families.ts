import { alpine } from './families/alpine.ts'
import { arch } from './families/arch.ts'
import { debian, devuan, kali, ubuntu } from './families/debian.ts'
import { fedora } from './families/fedora.ts'
import { opensuse } from './families/opensuse.ts'
import type { Family } from './family.ts'
import type { Distribution } from './os-release.ts'

export const FAMILIES: readonly Family[] = [debian, ubuntu, kali, devuan, alpine, fedora, arch, opensuse]

/** The family that a distribution belongs to, by its own id first, then by those that it descends from; null if unknown. */
export function familyOf(distribution: Distribution): Family | null {
  for (const id of [distribution.id, ...distribution.like]) {
    const family = FAMILIES.find(candidate => candidate.ids.includes(id))
    if (family) return family
  }
  return null
}
