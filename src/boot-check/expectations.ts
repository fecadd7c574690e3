import { request } from 'node:http'
import { createConnection } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/** What has to answer in the guest once it is up. */
export type Expectation = Readonly<
  { kind: 'port'; port: number } | { kind: 'http'; port: number; path: string; status: number }
>

/** A check in the guest that held. */
export type CheckResult = Readonly<{
  /** As the user named it, such as `expect-http 8080/healthz=200`. */
  name: string
  /** Seconds from the sign of success until it held. */
  seconds: number
}>

/** A check that did not hold, with the last answer. */
export type UnmetExpectation = Readonly<{ name: string; answer: string }>

/** Milliseconds between two tries, for an answer, and between two looks at a connection under way. */
const PAUSE = 500
const PATIENCE = 5000
const LOOK = 50

/** A port number, such as `22`; null if it is none. */
export function parsePort(text: string): number | null {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0
  return port >= 1 && port <= 65_535 ? port : null
}

/** `8080/healthz=200`: port, path (`/` without one) and status of the answer; null if it is not of that form. */
export function parseHttpExpectation(text: string): Extract<Expectation, { kind: 'http' }> | null {
  const [, digits = '', path = '', status] = /^(\d{1,5})(\/[\x21-\x7e]*)?=([1-5]\d\d)$/.exec(text) ?? []
  const port = parsePort(digits)
  return port === null ? null : { kind: 'http', port, path: path || '/', status: Number(status) }
}

/** The expectation as an input names it. */
export const nameOf = (expected: Expectation): string =>
  expected.kind === 'port'
    ? `expect-port ${expected.port}`
    : `expect-http ${expected.port}${expected.path}=${expected.status}`

/** A line of QEMU's `info usernet`: a TCP connection from the host into the guest, or the door for such. */
export type Forward = Readonly<{ state: string; hostPort: number; guestPort: number }>

/** Reads QEMU's `info usernet`, in which a listening port of the host has the state HOST_FORWARD. */
export const readForwards = (usernet: string): Forward[] =>
  [...usernet.matchAll(/^\s*TCP\[(\w+)\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s+[\d.]+\s+(\d+)\s/gm)].map(
    ([, state = '', hostPort, guestPort]) => ({
      state,
      hostPort: Number(hostPort),
      guestPort: Number(guestPort)
    })
  )

/** Why an expectation does not hold, as the end of a sentence; null if it holds. */
type Answer = string | null

const REFUSED = 'nothing listens there'
const SILENT = 'the guest does not answer at all'

/**
 * Asks again and again until all expectations hold, or no longer than until `giveUp` is aborted.
 * @param forwards what QEMU's user network knows at the moment
 * @returns what held, and of what did not the last answer
 */
export async function meetExpectations(
  expectations: readonly Expectation[],
  forwards: () => Promise<readonly Forward[]>,
  giveUp: AbortSignal
): Promise<{ met: CheckResult[]; unmet: UnmetExpectation[] }> {
  const begin = performance.now()
  const met: CheckResult[] = []
  const unmet: UnmetExpectation[] = []
  const meet = async (expected: Expectation): Promise<void> => {
    for (;;) {
      const answer = await ask(expected, forwards)
      if (answer === null) {
        met.push({ name: nameOf(expected), seconds: (performance.now() - begin) / 1000 })
        return
      }
      if (giveUp.aborted) {
        unmet.push({ name: nameOf(expected), answer })
        return
      }
      await delay(PAUSE, undefined, { signal: giveUp }).catch(() => {})
    }
  }
  await Promise.all(expectations.map(meet))
  return { met, unmet }
}

async function ask(expected: Expectation, forwards: () => Promise<readonly Forward[]>): Promise<Answer> {
  const door = (await forwards()).find(
    ({ state, guestPort }) => state === 'HOST_FORWARD' && guestPort === expected.port
  )
  if (door === undefined) return 'QEMU does not forward the port'
  if (expected.kind === 'port') return askPort(door.hostPort, forwards)
  const status = await askHttp(door.hostPort, expected)
  if (status === expected.status) return null
  if (typeof status === 'number') return `the answer is ${status}`
  // A connection that ends without a word: was there a service at all?
  return (await askPort(door.hostPort, forwards)) ?? status
}

/**
 * Whether the guest takes a connection. QEMU's network takes it first and then asks the guest, so that being connected means
 * nothing: what counts is the state of the guest's side.
 */
async function askPort(hostPort: number, forwards: () => Promise<readonly Forward[]>): Promise<Answer> {
  const socket = createConnection({ host: '127.0.0.1', port: hostPort, allowHalfOpen: true })
  let over = false
  let spoke = false
  socket.on('error', () => {
    over = true
  })
  socket.on('end', () => {
    over = true
  })
  socket.on('data', () => {
    spoke = true
  })
  try {
    for (const end = performance.now() + PATIENCE; performance.now() < end; ) {
      await delay(LOOK)
      if (spoke) return null
      // What the guest has taken and then closed is still there until this side closes too.
      const wasOver = over
      const states = (await forwards()).filter(forward => forward.hostPort === hostPort)
      if (states.some(({ state }) => /ESTABLISHED|WAIT|CLOSING|LAST_ACK/.test(state))) return null
      if (wasOver) return REFUSED
    }
    return SILENT
  } finally {
    socket.destroy()
  }
}

/** @returns the status of the answer, or why there is none */
function askHttp(
  hostPort: number,
  { port, path }: Extract<Expectation, { kind: 'http' }>
): Promise<number | string> {
  return new Promise(resolve => {
    const silence = `there is no answer within ${PATIENCE / 1000} seconds`
    const asking = request({
      host: '127.0.0.1',
      port: hostPort,
      path,
      // As somebody on the machine itself would ask: services refuse names that they do not know.
      headers: { host: `localhost:${port}`, 'user-agent': 'docker-to-disk', connection: 'close' },
      agent: false,
      signal: AbortSignal.timeout(PATIENCE)
    })
    asking.on('response', response => {
      resolve(response.statusCode ?? 'the answer has no status')
      response.on('error', () => {})
      asking.destroy()
    })
    asking.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ABORT_ERR' || error.name === 'TimeoutError') resolve(silence)
      else if (error.code?.startsWith('HPE_')) resolve('the answer is not HTTP')
      else resolve('the connection is closed without an answer')
    })
    asking.end()
  })
}
