import * as core from '@actions/core'
import { messageOf } from './errors.ts'
import { Host } from './host.ts'
import { savedPackages } from './state.ts'
import { inert } from './text.ts'
import { packageFolder, savePackages } from './tools.ts'
import { Undo } from './undo.ts'

/** The second run of the action: saves the packages, gives back what a killed first run left. Never fails the job. */
export async function post(runId: string): Promise<void> {
  const host = new Host()
  try {
    for (const problem of (await Undo.resume(runId, host)?.releaseAll()) ?? []) {
      core.warning(inert(problem), { title: 'Not cleaned up' })
    }
    const packages = savedPackages()
    if (packages) await savePackages(packages)
  } catch (error) {
    core.warning(inert(messageOf(error)), { title: 'Post step' })
  }
  packageFolder.remove()
}
