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
