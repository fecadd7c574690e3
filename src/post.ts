import * as core from '@actions/core'
import { messageOf } from './errors.ts'
import { Host } from './host.ts'
import type { SavedState } from './state.ts'
import { inert } from './text.ts'
import { packageFolder, savePackages } from './tools.ts'
import { Undo } from './undo.ts'

/** The second run of the action: gives back what a killed first run left, saves the packages. Never fails the job. */
export async function post({ runId, packages }: SavedState): Promise<void> {
  const host = new Host()
  try {
    const undo = runId === null ? null : Undo.resume(runId, host)
    const problems = (await undo?.releaseAll()) ?? []
    for (const problem of problems) core.warning(inert(problem), { title: 'Not cleaned up' })
    if (undo && problems.length === 0) {
      core.notice(
        'The step was killed before it could clean up; what it held of the machine is given back now.',
        {
          title: 'Cleaned up'
        }
      )
    }
    if (packages !== null) await savePackages(packages)
    await packageFolder.remove(host)
  } catch (error) {
    core.warning(inert(messageOf(error)), { title: 'Post step' })
  }
}
