import * as core from '@actions/core'
import { formatSeconds } from './text.ts'

export type StageTime = Readonly<{ name: string; seconds: number }>

/** The stages of a run, one after the other: a log group each, with its duration in the group's last line. */
export class Stages {
  readonly times: StageTime[] = []

  async run<T>(name: string, work: () => Promise<T> | T): Promise<T> {
    core.startGroup(name)
    const begin = performance.now()
    try {
      return await work()
    } finally {
      const seconds = (performance.now() - begin) / 1000
      this.times.push({ name, seconds })
      core.info(`${name}: ${formatSeconds(seconds)}`)
      core.endGroup()
    }
  }
}
