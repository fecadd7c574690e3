import { statSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import * as core from '@actions/core'
import { within } from './deadline.ts'
import { ActionError, messageOf } from './errors.ts'
import { formatBytes, inert, MIB } from './text.ts'

/** An artifact as the service has it. */
export type Artifact = Readonly<{
  name: string
  id: number
  url: string
  /** `sha256:` and hexadecimal digits. */
  digest: string
  /** Size in bytes. */
  size: number
}>

/** Slowest upload that is waited for, in bytes a second. */
const LEAST_RATE = 256 * 1024

/**
 * Milliseconds for an artifact of that size. The toolkit gives up a transfer without progress after the time that
 * ACTIONS_ARTIFACT_UPLOAD_TIMEOUT_MS names, but waits far longer for a service that takes a request and never answers.
 */
function limitFor(size: number): number {
  const stall = Number(process.env.ACTIONS_ARTIFACT_UPLOAD_TIMEOUT_MS) || 5 * 60_000
  return 2 * stall + (size / LEAST_RATE) * 1000
}

/**
 * Uploads each file as an artifact of its own, unzipped, under its file name, in order.
 * @param sha256 digest of each file as it lies on disk, by path, where known; compared with what was uploaded
 * @throws ActionError that names the file and what the service answered
 */
export async function uploadFiles(
  paths: readonly string[],
  retentionDays: number | null,
  sha256: ReadonlyMap<string, string>,
  cancelled: AbortSignal
): Promise<Artifact[]> {
  // Loaded when needed: it is most of the bundle.
  const { DefaultArtifactClient } = await import('@actions/artifact')
  const client = new DefaultArtifactClient()
  const artifacts: Artifact[] = []
  for (const path of paths) {
    const name = basename(path)
    const { size } = statSync(path)
    let uploaded: Awaited<ReturnType<typeof client.uploadArtifact>>
    try {
      const upload = () =>
        client.uploadArtifact(name, [path], dirname(path), {
          skipArchive: true,
          ...(retentionDays !== null && { retentionDays })
        })
      uploaded = await withSmallMemory(() => within(limitFor(size), cancelled, upload()))
    } catch (error) {
      cancelled.throwIfAborted()
      // Errors of the storage may have a status alone.
      const { statusCode } = error as { statusCode?: number }
      const words = messageOf(error).trim() || `the storage answered ${statusCode ?? 'nothing of use'}`
      throw new ActionError(explainUpload(name, words), 'Upload failed')
    }
    const expected = sha256.get(path)
    if (expected !== undefined && uploaded.digest !== undefined && uploaded.digest !== expected) {
      const deleting = client.deleteArtifact(name).catch(() => {})
      await within(limitFor(0), cancelled, deleting).catch(() => {})
      throw new ActionError(
        `${name} was changed on its way: it is ${expected}, uploaded was ${uploaded.digest} (SHA-256).`,
        'Upload failed'
      )
    }
    const artifact = {
      name,
      id: uploaded.id ?? 0,
      url: artifactUrl(uploaded.id ?? 0),
      digest: `sha256:${uploaded.digest ?? expected}`,
      size
    }
    core.info(inert(`Uploaded ${name} (${formatBytes(size)}): ${artifact.url}`))
    artifacts.push(artifact)
  }
  return artifacts
}

function explainUpload(name: string, words: string): string {
  const message = `The artifact ${name} could not be uploaded: ${inert(words.split('\n')[0] ?? '')}`
  if (/409|conflict|already exists/i.test(words)) {
    return `${message}\nAn artifact of this name exists in this workflow run: give each job or step another name, such as name: disk-\${{ matrix.os }}.`
  }
  if (/GHES/.test(words)) {
    return `${message}\nGitHub Enterprise Server does not take such artifacts: set upload-artifact to false and use the path in the output image.`
  }
  if (/ACTIONS_RUNTIME_TOKEN|ACTIONS_RESULTS_URL/.test(words))
    return `${message}\nOutside of a workflow set upload-artifact to false.`
  return `${message}\nThe files stay in the output folder; upload them in a later step, or run the job again.`
}

function artifactUrl(id: number): string {
  const { GITHUB_SERVER_URL = 'https://github.com', GITHUB_REPOSITORY = '', GITHUB_RUN_ID = '' } = process.env
  return `${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}/actions/runs/${GITHUB_RUN_ID}/artifacts/${id}`
}

/** Bytes of buffers above which garbage is collected, and how often to look, in milliseconds. */
const BUFFERS_LIMIT = 32 * MIB
const LOOK = 10

/**
 * Keeps memory small while a file streams through. The toolkit reads it in chunks of 8 MiB, which V8, seeing only their small
 * handles, leaves uncollected until they are hundreds of megabytes.
 */
async function withSmallMemory<T>(work: () => Promise<T>): Promise<T> {
  // Five by default, each with chunks of its own in hand.
  process.env.ACTIONS_ARTIFACT_UPLOAD_CONCURRENCY ??= '3'
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const timer = setInterval(() => {
    if (process.memoryUsage().arrayBuffers > BUFFERS_LIMIT) collect()
  }, LOOK)
  try {
    return await work()
  } finally {
    clearInterval(timer)
  }
}
