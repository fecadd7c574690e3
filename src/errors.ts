/** A failure whose message is the answer for the user: what was looked for, what was found, what to write instead. */
export class ActionError extends Error {
  override readonly name = 'ActionError'

  /**
   * @param message one or more sentences, the first of which stands on its own
   * @param title short heading of the annotation
   */
  constructor(
    message: string,
    readonly title = 'docker-to-disk'
  ) {
    super(message)
  }
}

/** Text of anything thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Whether a program or the system says that a disk is full. */
export const saysNoSpace = (text: string): boolean =>
  /ENOSPC|no space left on device|don't have enough free space/i.test(text)
