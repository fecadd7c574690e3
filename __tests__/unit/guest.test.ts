import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jest } from '@jest/globals'
import { Guest } from '../../src/boot-check/guest.ts'

const folder = mkdtempSync(join(tmpdir(), 'guest-'))
const path = join(folder, 'socket')
let server: Server
let socket: Socket | undefined
let guest: Guest
let written = ''

beforeEach(() => {
  written = ''
  jest.spyOn(process.stdout, 'write').mockImplementation(text => {
    written += text
    return true
  })
})
afterEach(() => {
  jest.restoreAllMocks()
  guest.close()
  socket?.destroy()
  server.close()
})
afterAll(() => rmSync(folder, { recursive: true }))

/** A machine whose watcher answers each line that it is sent. */
function machine(answer: (line: string, asked: number) => string): void {
  let asked = 0
  server = createServer(connection => {
    socket = connection
    connection.on('data', data => connection.write(answer(data.toString(), ++asked)))
  })
  server.listen(path)
  guest = new Guest(path, 'T')
}

test('a script that fails after a watcher that came late', async () => {
  machine((line, asked) => {
    expect(line).toBe('T 3\n')
    return asked < 2 ? '' : '\nT begin 3\n::error::x\nlast words\n\nT end 3 7\n'
  })
  expect(await guest.run(3, 10)).toMatchObject({
    exitCode: 7,
    began: true,
    output: '::error::x\nlast words\n',
    lastLines: ['::error::x', 'last words']
  })
  expect(written).toContain('test │ \u200b::error::x\ntest │ last words\n')
})

test('a script that does not end', async () => {
  machine(() => '\nT begin 1\nstill here\n')
  expect(await guest.run(1, 1)).toMatchObject({
    exitCode: null,
    began: true,
    limit: 1,
    lastLines: ['still here']
  })
})

test('a machine that is gone', async () => {
  machine(() => '')
  setTimeout(() => guest.close(), 50)
  expect(await guest.run(1, 100)).toMatchObject({ exitCode: null, began: false, output: '' })
})
