import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ConsoleLog } from '../../src/boot-check/console-log.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'log-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

test('a console without end ends in file and log, and both say so', async () => {
  const path = join(folder, 'console.log')
  writeFileSync(path, 'before\n')
  const printed: string[] = []
  const log = new ConsoleLog(path, { file: 10, log: 12 }, line => printed.push(line))
  for (let i = 0; i < 5; i++) {
    log.write(Buffer.from(`line ${i}\n`))
    log.line(`line ${i}`)
  }
  await log.close()
  expect(readFileSync(path, 'utf8')).toBe(
    'before\nline 0\nlin\n[docker-to-disk: the rest, after 10 bytes, was not kept]\n'
  )
  expect(printed).toEqual([
    'guest │ line 0',
    'guest │ line 1',
    'The console says more than 12 bytes: the rest is in its own file.'
  ])
})

test('an ordinary one is kept whole', async () => {
  const path = join(folder, 'console.log')
  const printed: string[] = []
  const log = new ConsoleLog(path, undefined, line => printed.push(line))
  log.write(Buffer.from('::error::x\r\n'))
  log.line('::error::x')
  await log.close()
  expect(readFileSync(path, 'utf8')).toBe('::error::x\r\n')
  expect(printed.map(line => line.replace('\u200b', ''))).toEqual(['guest │ ::error::x'])
})

test('a file that cannot be written is told', async () => {
  const log = new ConsoleLog(join(folder, 'none', 'console.log'))
  await expect(new Promise(resolve => log.onError(resolve))).resolves.toMatchObject({ code: 'ENOENT' })
})
