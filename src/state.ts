import * as core from '@actions/core'
import type { PackageCache } from './tools.ts'

/** What the first run of the action leaves for the second, the post step. */
export type SavedState = Readonly<{
  /** Null if the first run ended before it took anything. */
  runId: string | null
  packages: PackageCache | null
}>

const BEGUN = 'begun'
const RUN = 'run'
const PACKAGES = 'packages'

/** Makes the next run of the action the post step. */
export const beginState = (): void => core.saveState(BEGUN, 'true')

export const saveRun = (runId: string): void => core.saveState(RUN, runId)

export const savePackagesLater = (cache: PackageCache): void =>
  core.saveState(PACKAGES, JSON.stringify(cache))

/** What the first run left; null if this is the first run. */
export function savedState(): SavedState | null {
  if (core.getState(BEGUN) === '') return null
  const packages = core.getState(PACKAGES)
  return {
    runId: core.getState(RUN) || null,
    packages: packages === '' ? null : (JSON.parse(packages) as PackageCache)
  }
}
