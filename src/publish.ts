import { statSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import * as core from '@actions/core'
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

/** Seconds for one artifact in which nothing at all comes back from the service. */
const LIMIT_SECONDS = 3600

/**
 * Uploads each file as an artifact of its own, unzipped, under its file name, in order.
 * @param sha256 digest of each file as it lies on disk, by path, where known; compared with what was uploaded
 * @throws ActionError that names the file and what the service answered
 */
export async function uploadFiles(
  paths: readonly string[],
  retentionDays: number | null,
  sha256: ReadonlyMap<string, string>
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
      uploaded = await withSmallMemory(
        within(
          LIMIT_SECONDS,
          client.uploadArtifact(name, [path], dirname(path), {
            skipArchive: true,
            ...(retentionDays !== null && { retentionDays })
          })
        )
      )
    } catch (error) {
      throw new ActionError(explainUpload(name, messageOf(error)), 'Upload failed')
    }
    const expected = sha256.get(path)
    if (expected !== undefined && uploaded.digest !== undefined && uploaded.digest !== expected) {
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
const BUFFERS_LIMIT = 48 * MIB
const LOOK = 30

/**
 * Keeps memory small while a file streams through. The toolkit reads it in chunks of 8 MiB, which V8, seeing only their small
 * handles, leaves uncollected until they are hundreds of megabytes.
 */
async function withSmallMemory<T>(work: Promise<T>): Promise<T> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const timer = setInterval(() => {
    if (process.memoryUsage().arrayBuffers > BUFFERS_LIMIT) collect()
  }, LOOK)
  try {
    return await work
  } finally {
    clearInterval(timer)
  }
}

async function within<T>(seconds: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no end within ${seconds} seconds`)), seconds * 1000)
  })
  try {
    return await Promise.race([work, limit])
  } finally {
    clearTimeout(timer)
  }
}
