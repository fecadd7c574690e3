import { randomUUID } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'

export type StoredArtifact = Readonly<{
  id: number
  name: string
  /** Where the bytes that arrived lie. */
  file: string
  /** Size and `sha256:…` as the uploader stated them when it finalized the artifact. */
  size: number
  hash: string
  mimeType?: string
  expiresAt?: string
}>

export type StoredCache = Readonly<{ id: number; key: string; version: string; file: string; size: number }>

/** A call's name is the Twirp method's, or the Azure operation's: `PutBlock`, `PutBlockList`, `PutBlob`, `GetBlob`, `HeadBlob`. */
export type LoggedRequest = Readonly<{ method: string; body: Readonly<Record<string, unknown>> }>

export type Failure = Readonly<{ status: number; body?: string }> | 'hang'

export interface ResultsService {
  /** What goes into ACTIONS_RESULTS_URL and ACTIONS_RUNTIME_TOKEN. */
  readonly url: string
  readonly token: string
  /** Finalized artifacts by name. */
  readonly artifacts: ReadonlyMap<string, StoredArtifact>
  /** Finalized caches by key; of one saved in several versions, the last. */
  readonly caches: ReadonlyMap<string, StoredCache>
  readonly requests: readonly LoggedRequest[]
  /** Makes a call go wrong: asked before each, undefined lets it through. */
  fail?: ((method: string) => Failure | undefined) | undefined
  close(): Promise<void>
}

type Body = Record<string, string>
type Operation = (body: Body) => object

class ServiceError extends Error {
  readonly status: number
  readonly code: string

  constructor(status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

/**
 * A local stand-in for the results service of Actions and the Azure storage behind it: artifacts v4 and caches v2 as
 * `@actions/artifact` and `@actions/cache` speak them. Everything goes to `dir` as a stream, whatever its size.
 */
export async function startResultsService(dir: string): Promise<ResultsService> {
  await mkdir(dir, { recursive: true })
  const token = runtimeToken()
  const signature = randomUUID()
  const artifacts = new Map<string, StoredArtifact>()
  const caches = new Map<string, StoredCache>()
  const requests: LoggedRequest[] = []
  let lastId = 0

  // The real service reserves a name when the upload begins, not when it ends: a second attempt after a failed one conflicts.
  const begunArtifacts = new Map<string, StoredArtifact>()
  const begunCaches = new Map<string, StoredCache>()
  const begin = () => {
    const id = ++lastId
    return { id, file: join(dir, String(id)), size: 0 }
  }
  const cacheId = ({ key, version }: { key?: string; version?: string }) => JSON.stringify([key, version])
  const signed = (file: string) =>
    // With an address for a host name the storage client takes the first component for the account.
    `${service.url}account/actions-results/${file.slice(dir.length + 1)}?sig=${signature}`
  const find = (name: string) => {
    const artifact = artifacts.get(name)
    if (!artifact) throw new ServiceError(404, 'not_found', 'artifact not found')
    return artifact
  }

  const operations: Record<string, Operation> = {
    CreateArtifact({ name = '', mime_type, expires_at }) {
      if (begunArtifacts.has(name))
        throw new ServiceError(
          409,
          'already_exists',
          'an artifact with this name already exists on the workflow run'
        )
      const artifact = {
        ...begin(),
        name,
        hash: '',
        ...(mime_type && { mimeType: mime_type }),
        ...(expires_at && { expiresAt: expires_at })
      }
      begunArtifacts.set(name, artifact)
      return { ok: true, signed_upload_url: signed(artifact.file) }
    },
    // Proto3 JSON leaves out what is zero or empty.
    FinalizeArtifact({ name = '', size = '0', hash = '' }) {
      const begun = begunArtifacts.get(name)
      if (!begun) throw new ServiceError(404, 'not_found', 'artifact not found')
      artifacts.set(name, { ...begun, size: Number(size), hash })
      return { ok: true, artifact_id: String(begun.id) }
    },
    ListArtifacts: ({ name_filter, ...ids }) => ({
      artifacts: [...artifacts.values()]
        .filter(({ name }) => !name_filter || name === name_filter)
        .map(({ id, name, size, hash }) => ({ ...ids, database_id: String(id), name, size, digest: hash }))
    }),
    GetSignedArtifactURL: ({ name = '' }) => ({ signed_url: signed(find(name).file) }),
    DeleteArtifact({ name = '' }) {
      const { id } = find(name)
      artifacts.delete(name)
      begunArtifacts.delete(name)
      return { ok: true, artifact_id: String(id) }
    },
    CreateCacheEntry({ key = '', version = '' }) {
      const id = cacheId({ key, version })
      if (begunCaches.has(id))
        throw new ServiceError(
          409,
          'already_exists',
          'cache entry with the same key, version, and scope already exists'
        )
      const cache = { ...begin(), key, version }
      begunCaches.set(id, cache)
      return { ok: true, signed_upload_url: signed(cache.file) }
    },
    FinalizeCacheEntryUpload({ key = '', version = '', size_bytes = '0' }) {
      const begun = begunCaches.get(cacheId({ key, version }))
      if (!begun) throw new ServiceError(404, 'not_found', 'cache entry not found')
      caches.set(key, { ...begun, size: Number(size_bytes) })
      return { ok: true, entry_id: String(begun.id) }
    },
    GetCacheEntryDownloadURL({ key = '', version = '', restore_keys }) {
      const usable = [...caches.values()].filter(cache => cache.version === version).reverse()
      const prefixes = Array.isArray(restore_keys) ? (restore_keys as string[]) : []
      const hit =
        usable.find(cache => cache.key === key) ??
        prefixes.map(prefix => usable.find(cache => cache.key.startsWith(prefix))).find(Boolean)
      return hit ? { ok: true, signed_download_url: signed(hit.file), matched_key: hit.key } : { ok: false }
    }
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', service.url)
    const twirp = url.pathname.startsWith('/twirp/')
    const method = twirp ? url.pathname.slice(url.pathname.lastIndexOf('/') + 1) : blobOperation(request, url)
    const body: Body = twirp ? JSON.parse(await text(request)) : {}
    requests.push({ method, body })

    const failure = service.fail?.(method)
    if (failure) {
      request.resume()
      if (failure !== 'hang') response.writeHead(failure.status).end(failure.body)
      return
    }
    if (!twirp) {
      if (url.searchParams.get('sig') !== signature)
        throw new ServiceError(403, 'AuthenticationFailed', 'signature')
      return serveBlob(
        method,
        join(dir, String(Number(url.pathname.split('/').at(-1)))),
        request,
        response,
        url
      )
    }
    if (request.headers.authorization !== `Bearer ${token}`)
      throw new ServiceError(401, 'unauthenticated', 'token')
    const operation = operations[method]
    if (!operation) throw new ServiceError(404, 'bad_route', `no handler for path ${url.pathname}`)
    const reply = JSON.stringify(operation(body))
    response.writeHead(200, { 'content-type': 'application/json' }).end(reply)
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      const { status, code } = error instanceof ServiceError ? error : { status: 500, code: 'internal' }
      if (response.headersSent) return response.destroy()
      response.writeHead(status, { 'content-type': 'application/json' })
      return response.end(
        JSON.stringify({ code, msg: error instanceof Error ? error.message : String(error) })
      )
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))

  const service: ResultsService = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    token,
    artifacts,
    caches,
    requests,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
  }
  return service
}

function blobOperation({ method, headers }: IncomingMessage, url: URL): string {
  if (method === 'GET') return 'GetBlob'
  if (method === 'HEAD') return 'HeadBlob'
  const operations: Record<string, string> = { block: 'PutBlock', blocklist: 'PutBlockList' }
  if (method === 'PUT' && headers['x-ms-version'])
    return operations[url.searchParams.get('comp') ?? ''] ?? 'PutBlob'
  throw new ServiceError(400, 'InvalidQueryParameterValue', `${method} ${url.pathname}${url.search}`)
}

async function serveBlob(
  operation: string,
  file: string,
  request: IncomingMessage,
  response: ServerResponse,
  url: URL
): Promise<void> {
  // A block id is base64 and may hold slashes.
  const block = (id: string) => `${file}.${Buffer.from(id).toString('hex')}`
  switch (operation) {
    case 'PutBlock':
      await pipeline(request, createWriteStream(block(url.searchParams.get('blockid') ?? '')))
      break
    case 'PutBlockList': {
      const ids = (await text(request)).matchAll(/<(?:Latest|Uncommitted)>([^<]+)</g)
      await concatenate(
        Array.from(ids, ([, id = '']) => block(id)),
        file
      )
      break
    }
    case 'PutBlob':
      if (request.headers['x-ms-blob-type'] !== 'BlockBlob')
        throw new ServiceError(400, 'InvalidHeaderValue', 'x-ms-blob-type')
      await pipeline(request, createWriteStream(file))
      break
    default:
      return sendBlob(file, request, response)
  }
  response
    .writeHead(201, {
      etag: `"${randomUUID()}"`,
      'last-modified': new Date().toUTCString(),
      'x-ms-request-id': randomUUID(),
      'x-ms-version': request.headers['x-ms-version'],
      'x-ms-request-server-encrypted': 'true'
    })
    .end()
}

/** Strings the blocks together; a missing one is what Azure calls an invalid block list. */
async function concatenate(blocks: readonly string[], file: string): Promise<void> {
  const whole = `${file}.whole`
  await (await open(whole, 'w')).close()
  for (const block of blocks) {
    await pipeline(createReadStream(block), createWriteStream(whole, { flags: 'a' })).catch(() => {
      throw new ServiceError(400, 'InvalidBlockList', 'The specified block list is invalid.')
    })
    await rm(block)
  }
  await rename(whole, file)
}

async function sendBlob(file: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { size } = await stat(file).catch(() => {
    throw new ServiceError(404, 'BlobNotFound', 'The specified blob does not exist.')
  })
  const asked = /^bytes=(\d+)-(\d*)$/.exec(
    String(request.headers['x-ms-range'] ?? request.headers.range ?? '')
  )
  const start = Number(asked?.[1] ?? 0)
  const end = Math.min(asked?.[2] ? Number(asked[2]) : size - 1, size - 1)
  response.writeHead(asked ? 206 : 200, {
    'accept-ranges': 'bytes',
    'content-length': end - start + 1,
    ...(asked && { 'content-range': `bytes ${start}-${end}/${size}` })
  })
  if (request.method === 'HEAD' || size === 0) response.end()
  else await pipeline(createReadStream(file, { start, end }), response)
}

/** A token as the runner hands it out: nobody checks its signature, but the artifact client reads the ids from its scope. */
function runtimeToken(): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const scp = `Actions.ExampleScope Actions.Results:${randomUUID()}:${randomUUID()}`
  return `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ scp })}.${part({ signature: randomUUID() })}`
}
