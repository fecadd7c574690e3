import { createContext, Script } from 'node:vm'

/**
 * Waits for work that cannot be stopped, but no longer than the limit, and not for a cancelled run.
 * @param limitMs milliseconds
 */
export async function within<T>(limitMs: number, cancelled: AbortSignal, work: Promise<T>): Promise<T> {
  work.catch(() => {})
  cancelled.throwIfAborted()
  let timer: NodeJS.Timeout | undefined
  let cancel = (): void => {}
  const limit = new Promise<never>((_, reject) => {
    const words = `the service did not finish within ${Math.round(limitMs / 1000)} seconds`
    timer = setTimeout(() => reject(new Error(words)), limitMs)
    cancel = () => reject(cancelled.reason)
    cancelled.addEventListener('abort', cancel)
  })
  try {
    return await Promise.race([work, limit])
  } finally {
    clearTimeout(timer)
    cancelled.removeEventListener('abort', cancel)
  }
}

const CALL = new Script('work()')
/** One for all calls: a context of V8 is large, and takes longer to make than most calls take. */
let room: { work?: () => unknown } | undefined

/** By which the error of {@link interruptible} is known. */
export const INTERRUPTED = 'ERR_SCRIPT_EXECUTION_TIMEOUT'

/**
 * Calls what may compute without end, such as a regular expression of a user's, which nothing else could stop: while it runs no
 * timer and no signal is heard. A call costs half a millisecond.
 * @param limitMs milliseconds
 * @throws Error with the code {@link INTERRUPTED} when time is over, and whatever the work throws
 */
export function interruptible<T>(limitMs: number, work: () => T): T {
  room ??= createContext({})
  room.work = work
  return CALL.runInContext(room, { timeout: limitMs }) as T
}
