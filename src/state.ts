import * as core from '@actions/core'
import type { PackageCache } from './tools.ts'

/** What the first run of the action leaves for the second, the post step. */
const RUN = 'run'
const PACKAGES = 'packages'

export const saveRun = (runId: string): void => core.saveState(RUN, runId)

/** Id of the first run; null if this is the first. */
export const savedRun = (): string | null => core.getState(RUN) || null

export const savePackagesLater = (cache: PackageCache): void =>
  core.saveState(PACKAGES, JSON.stringify(cache))

export function savedPackages(): PackageCache | null {
  const state = core.getState(PACKAGES)
  return state ? (JSON.parse(state) as PackageCache) : null
}
