import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Monitor } from '../../src/boot-check/monitor.ts'
import { readEvent } from '../../src/boot-check/session.ts'

type Request = { execute: string; arguments?: Record<string, unknown>; id?: number }

let folder: string
let server: Server
let monitor: Monitor
let connection: Socket | undefined
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'qmp-'))
})
afterEach(() => {
  monitor.close()
  connection?.destroy()
  server.close()
  rmSync(folder, { recursive: true })
})

/** A monitor that talks to what answers each command like QEMU. */
function connect(answer: (request: Request) => unknown): Monitor {
  server = createServer(socket => {
    connection = socket
    socket.write('{"QMP": {"version": {}, "capabilities": []}}\r\n')
    createInterface({ input: socket }).on('line', line => {
      const request = JSON.parse(line) as Request
      const said = answer(request)
      if (said !== undefined && !socket.writableEnded)
        socket.write(`${JSON.stringify({ ...(said as object), id: request.id })}\r\n`)
    })
  })
  const path = join(folder, 'qmp')
  // QEMU makes its socket a moment after its start.
  setTimeout(() => server.listen(path), 80)
  monitor = new Monitor(path)
  return monitor
}

const RUNNING = { return: { status: 'running' } }

test('a command and its answer, and one that is refused', async () => {
  const seen: Request[] = []
  connect(request => {
    seen.push(request)
    if (request.execute === 'screendump') return { error: { class: 'GenericError', desc: 'no display' } }
    return request.execute === 'x' ? { return: { y: 1 } } : RUNNING
  })
  const [first, second] = [monitor.execute('x', { a: 'b' }), monitor.execute('screendump')]
  await expect(first).resolves.toEqual({ y: 1 })
  await expect(second).rejects.toThrow('screendump: no display')
  expect(seen[0]).toEqual({ execute: 'qmp_capabilities' })
  expect(seen).toContainEqual({ execute: 'x', arguments: { a: 'b' }, id: expect.any(Number) })
})

test('a command to a QEMU that ends fails', async () => {
  connect(({ execute }) => {
    if (execute === 'x') connection?.end()
    return execute === 'x' ? undefined : RUNNING
  })
  await expect(monitor.execute('x')).rejects.toThrow('x: QEMU has ended')
})

test('a QEMU that never made its socket is not waited for', async () => {
  server = createServer()
  monitor = new Monitor(join(folder, 'none'))
  const command = expect(monitor.execute('x')).rejects.toThrow('x: QEMU has ended')
  monitor.close()
  await command
})

test('every event is told with its data', async () => {
  const heard: unknown[] = []
  connect(({ execute }) => {
    if (execute === 'x') {
      connection?.write('{"event": "RESET", "data": {"guest": true, "reason": "guest-reset"}}\r\n')
      connection?.write('{"event": "STOP", "timestamp": {}}\r\n')
    }
    return RUNNING
  })
  monitor.onEvent = (...event) => heard.push(event)
  await monitor.execute('x')
  expect(heard).toEqual([
    ['RESET', { guest: true, reason: 'guest-reset' }],
    ['STOP', {}]
  ])
})

test('a guest that shut down before anybody listened is noticed', async () => {
  connect(() => ({ return: { status: 'shutdown' } }))
  const heard = await new Promise(resolve => {
    monitor.onEvent = (...event) => resolve(event)
  })
  expect(heard).toEqual(['SHUTDOWN', { guest: true, reason: 'guest-shutdown' }])
})

test.each([
  ['RESET', { guest: true, reason: 'guest-reset' }, { kind: 'reset' }],
  ['RESET', { guest: false, reason: 'host-qmp-system-reset' }, null],
  ['SHUTDOWN', { guest: true, reason: 'guest-shutdown' }, { kind: 'shutdown' }],
  ['SHUTDOWN', { guest: false, reason: 'host-signal' }, null],
  ['GUEST_PANICKED', { action: 'pause' }, { kind: 'panicked' }],
  ['SHUTDOWN', { guest: true, reason: 'guest-panic' }, { kind: 'panicked' }],
  ['STOP', {}, null]
])('%s with %j', (name, data, event) => {
  expect(readEvent(name, data)).toEqual(event)
})
