import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  copyFileSync,
  createReadStream,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BaseImage, ensureBaseImage } from './images.ts'
import { type ResultsService, startResultsService } from './results-service.ts'
import { leftovers, REPOSITORY, type RunOptions, type RunResult, removeRun, runAction } from './runner.ts'

export const ALPINE = join(REPOSITORY, '__tests__/fixtures/alpine')

/** What a test file of runs shares: a results service, and runs that are cleaned up after. */
export class Bench {
  results!: ResultsService
  readonly #runs: RunResult[] = []
  readonly #folder = mkdtempSync(join(tmpdir(), 'e2e-'))

  async begin(): Promise<void> {
    this.results = await startResultsService(join(this.#folder, 'results'))
  }

  async end(): Promise<void> {
    await this.results.close()
    for (const run of this.#runs) await removeRun(run)
    rmSync(this.#folder, { recursive: true, force: true })
  }

  /** Runs main and post; whatever the outcome, nothing may be left on the machine. */
  async run(options: RunOptions): Promise<RunResult> {
    const run = await runAction({ results: this.results, ...options })
    this.#runs.push(run)
    expect(await leftovers(run)).toEqual([])
    expect(run.post?.exitCode ?? 0).toBe(0)
    return run
  }

  /** Runs and expects success; its errors and the log's end tell why if not. */
  async succeed(options: RunOptions): Promise<RunResult> {
    const run = await this.run(options)
    if (run.exitCode !== 0) {
      const errors = run.annotations.filter(({ level }) => level === 'error')
      const reasons = errors.map(({ title, message }) => `${title}: ${message}`).join('\n')
      throw new Error(
        `The run failed with exit code ${run.exitCode}: ${reasons}\nIts log ends with:\n${run.log.slice(-4000)}`
      )
    }
    return run
  }

  /** Runs and expects failure with exactly one error annotation, which is returned. */
  async fail(options: RunOptions): Promise<{ run: RunResult; title: string; message: string }> {
    const run = await this.run(options)
    const errors = run.annotations.filter(({ level }) => level === 'error')
    if (run.exitCode !== 1 || errors.length !== 1)
      throw new Error(`Exit code ${run.exitCode}, ${errors.length} errors:\n${run.log.slice(-4000)}`)
    return { run, title: errors[0]?.title ?? '', message: errors[0]?.message ?? '' }
  }

  /** A folder with a Dockerfile, to check out. */
  context(dockerfile: string, name = 'context'): string {
    const folder = mkdtempSync(join(this.#folder, `${name}-`))
    writeFileSync(join(folder, 'Dockerfile'), dockerfile)
    // The runner's user has to reach what lies in it.
    chmodSync(this.#folder, 0o755)
    chmodSync(folder, 0o755)
    return folder
  }

  /** The fixture of Alpine's userland with more in its Dockerfile; its own layers are shared. */
  alpineWith(...lines: string[]): string {
    const folder = this.context(`${readFileSync(join(ALPINE, 'Dockerfile'), 'utf8')}\n${lines.join('\n')}\n`)
    copyFileSync(join(ALPINE, 'inittab'), join(folder, 'inittab'))
    return folder
  }

  /** A PATH on which a program of the test's own, a shell script, comes first. */
  pathWith(program: string, script: string): string {
    const folder = join(this.context(''), 'bin')
    mkdirSync(folder)
    writeFileSync(join(folder, program), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
    return `${folder}:/usr/local/bin:/usr/bin:/bin`
  }
}

/** A bench for all tests of the file that calls it, with base images for them to build on. */
export function useBench(...images: BaseImage[]): Bench {
  const bench = new Bench()
  beforeAll(async () => {
    for (const image of images) await ensureBaseImage(image)
    await bench.begin()
  })
  afterAll(() => bench.end())
  return bench
}

/** Runs a program as root, in whose hands the image's content is. */
export function asRoot(...argv: string[]): string {
  const [program = '', ...args] = process.getuid?.() === 0 ? argv : ['sudo', '-n', ...argv]
  return execFileSync(program, args, {
    encoding: 'utf8',
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin`, LC_ALL: 'C.UTF-8' },
    stdio: ['ignore', 'pipe', 'pipe']
  })
}

/** Mounts the partition of a raw image read-only and gives what `look` sees. */
export function inImage<T>(path: string, look: (mountPoint: string) => T): T {
  const at = mkdtempSync(join(tmpdir(), 'look-'))
  asRoot('mount', '-o', 'ro,loop,offset=1048576', path, at)
  try {
    return look(at)
  } finally {
    asRoot('umount', at)
    rmSync(at, { recursive: true })
  }
}

export async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}
