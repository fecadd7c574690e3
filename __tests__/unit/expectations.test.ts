import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import {
  type Expectation,
  type Forward,
  meetExpectations,
  parseHttpExpectation,
  parsePort,
  readForwards,
  type UnmetExpectation
} from '../../src/boot-check/expectations.ts'

test.each([
  ['22', 22],
  ['65535', 65_535],
  ['0', null],
  ['65536', null],
  ['-1', null],
  ['2 2', null],
  ['ssh', null],
  ['', null]
])('port %j is %j', (text, port) => {
  expect(parsePort(text)).toBe(port)
})

test.each([
  ['8080/healthz=200', { port: 8080, path: '/healthz', status: 200 }],
  ['80=404', { port: 80, path: '/', status: 404 }],
  ['80/=301', { port: 80, path: '/', status: 301 }],
  ['80/a=b?c=d=200', { port: 80, path: '/a=b?c=d', status: 200 }]
])('%s is an answer to expect', (text, expected) => {
  expect(parseHttpExpectation(text)).toEqual({ kind: 'http', ...expected })
})

test.each([
  '8080/healthz',
  '8080/=2000',
  '8080/=99',
  '8080/=600',
  'localhost:80/=200',
  '80/a b=200',
  '99999=200',
  '=200'
])('%j is no answer to expect', text => {
  expect(parseHttpExpectation(text)).toBeNull()
})

/** As QEMU 7.2 prints it. */
const USERNET = `Hub -1 (net):
  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ
  TCP[ESTABLISHED]   19       127.0.0.1 40821       10.0.2.15  8080     0     0
  TCP[SYN_SENT]      21       127.0.0.1 35001       10.0.2.15    22     0     0
  TCP[HOST_FORWARD]  16       127.0.0.1 35001       10.0.2.15    22     0     0
  TCP[HOST_FORWARD]  15       127.0.0.1 40821       10.0.2.15  8080     0     0
  UDP[236 sec]       23       10.0.2.15 34567        10.0.2.3    53     0     0
`

test("connections of QEMU's user network", () => {
  expect(readForwards(USERNET.replaceAll('\n', '\r\n'))).toEqual([
    { state: 'ESTABLISHED', hostPort: 40_821, guestPort: 8080 },
    { state: 'SYN_SENT', hostPort: 35_001, guestPort: 22 },
    { state: 'HOST_FORWARD', hostPort: 35_001, guestPort: 22 },
    { state: 'HOST_FORWARD', hostPort: 40_821, guestPort: 8080 }
  ])
  expect(readForwards('')).toEqual([])
})

describe('waiting for what is expected', () => {
  const servers: Server[] = []
  afterEach(async () => {
    for (const server of servers.splice(0)) {
      const closed = once(server, 'close')
      server.close()
      await closed
    }
  })

  /** Stands for QEMU's network with the guest's port 80 behind it, whose connections have that state. */
  async function guest(server: Server, state: string | null): Promise<() => Promise<Forward[]>> {
    server.listen(0, '127.0.0.1')
    servers.push(server)
    await once(server, 'listening')
    const hostPort = (server.address() as AddressInfo).port
    const states = ['HOST_FORWARD', ...(state === null ? [] : [state])]
    return async () => states.map(each => ({ state: each, hostPort, guestPort: 80 }))
  }
  const words = ({ unmet }: { unmet: readonly UnmetExpectation[] }): string[] =>
    unmet.map(({ name, answer }) => `${name}: ${answer}`)
  const PORT: Expectation = { kind: 'port', port: 80 }
  const HTTP: Expectation = { kind: 'http', port: 80, path: '/x?y=1', status: 204 }
  const ONCE = AbortSignal.abort()
  const drop = (socket: Socket): void => void socket.destroy()
  const keep = (socket: Socket): void => {
    socket.on('error', () => {})
    socket.on('end', () => socket.end())
    socket.resume()
  }

  test.each([
    ['takes the connection', keep, 'ESTABLISHED', null],
    ['takes it and closes at once', drop, 'CLOSE_WAIT', null],
    ['refuses', drop, null, 'expect-port 80: nothing listens there'],
    [
      'has said something although the state is unknown',
      (socket: Socket) => void socket.end('SSH-2.0'),
      null,
      null
    ]
  ])('a port whose guest %s', async (_, serve, state, unmet) => {
    const forwards = await guest(createServer(serve), state)
    const outcome = await meetExpectations([PORT], forwards, ONCE)
    expect(words(outcome)).toEqual(unmet === null ? [] : [unmet])
    expect(outcome.met.map(({ name }) => name)).toEqual(unmet === null ? ['expect-port 80'] : [])
  })

  test('a port whose guest never answers, though QEMU has taken the connection', async () => {
    const forwards = await guest(createServer(keep), 'SYN_SENT')
    expect(words(await meetExpectations([PORT], forwards, ONCE))).toEqual([
      'expect-port 80: the guest does not answer at all'
    ])
  }, 10_000)

  test.each([
    [204, null],
    [503, 'expect-http 80/x?y=1=204: the answer is 503']
  ])('an answer of %i', async (status, unmet) => {
    const asked: string[] = []
    const server = createHttpServer((request, response) => {
      asked.push(`${request.method} ${request.url} ${request.headers.host}`)
      response.writeHead(status).end()
    })
    const outcome = await meetExpectations([HTTP], await guest(server, 'ESTABLISHED'), ONCE)
    expect(words(outcome)).toEqual(unmet === null ? [] : [unmet])
    expect(asked).toEqual(['GET /x?y=1 localhost:80'])
  })

  test.each([
    ['no service', drop, null, 'nothing listens there'],
    ['a service that hangs up', drop, 'CLOSE_WAIT', 'the connection is closed without an answer'],
    [
      'a service that speaks something else',
      (socket: Socket) => {
        keep(socket)
        socket.end('220 mail ready\r\n')
      },
      'ESTABLISHED',
      'the answer is not HTTP'
    ]
  ])('%s is told from an answer', async (_, serve, state, answer) => {
    const outcome = await meetExpectations([HTTP], await guest(createServer(serve), state), ONCE)
    expect(words(outcome)).toEqual([`expect-http 80/x?y=1=204: ${answer}`])
  })

  test('asks again until it holds, and no longer than it may', async () => {
    let requests = 0
    const server = createHttpServer((_, response) => {
      response.writeHead(++requests < 3 ? 503 : 204).end()
    })
    const forwards = await guest(server, 'ESTABLISHED')
    const { met } = await meetExpectations([HTTP], forwards, AbortSignal.timeout(10_000))
    expect(requests).toBe(3)
    expect(met[0]?.seconds).toBeGreaterThan(0.9)
    requests = -100
    expect((await meetExpectations([HTTP], forwards, AbortSignal.timeout(700))).unmet).toHaveLength(1)
    expect(requests).toBeLessThan(-95)
  }, 15_000)
})
