import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { leftovers, type RunOptions, type RunResult, removeRun, runAction } from '../support/runner.ts'

const MANIFEST = `
inputs:
  some input: { default: from action.yml }
  other-input: {}
runs: { using: node24, main: dist/index.mjs, post: dist/index.mjs }
`

let action: string
let runs: RunResult[]

beforeEach(async () => {
  runs = []
  action = await mkdtemp(join(tmpdir(), 'action-'))
  await mkdir(join(action, 'dist'))
  await writeFile(join(action, 'action.yml'), MANIFEST)
})

afterEach(async () => {
  for (const run of runs) await removeRun(run)
  await rm(action, { recursive: true })
})

/** Runs an action whose code is given. */
async function run(code: string, options: RunOptions = {}): Promise<RunResult> {
  const imports = "import { appendFileSync, writeFileSync } from 'node:fs'\nconst { env } = process\n"
  await writeFile(join(action, 'dist', 'index.mjs'), imports + code)
  const result = await runAction({ action, ...options })
  runs.push(result)
  return result
}

/** Another run may be under way on the machine. */
const leftoversOf = async (result: RunResult): Promise<string[]> =>
  (await leftovers(result)).filter(line => line.includes(result.root))

test('inputs, file commands, exit code and post step are those of a runner', async () => {
  const { post, ...main } = await run(
    `if (env.STATE_run) { console.log('post of', env.STATE_run); process.exit(2) }
    appendFileSync(env.GITHUB_STATE, 'run=first\\n')
    appendFileSync(env.GITHUB_OUTPUT, 'files<<END\\na=b\\n\\nc<<d\\nEND\\nplain=x=y\\n')
    appendFileSync(env.GITHUB_STEP_SUMMARY, '# Done')
    console.log(JSON.stringify([env['INPUT_SOME_INPUT'], env['INPUT_OTHER-INPUT'], process.cwd(), process.getuid()]))
    process.exit(3)`,
    { inputs: { 'other-input': 'a\nb' } }
  )
  const [declared, given, cwd, uid] = JSON.parse(main.log)
  expect([declared, given, cwd]).toEqual(['from action.yml', 'a\nb', main.workspace])
  expect(uid).not.toBe(0)
  expect(main).toMatchObject({
    exitCode: 3,
    outputs: { files: 'a=b\n\nc<<d', plain: 'x=y' },
    state: { run: 'first' },
    summary: '# Done'
  })
  expect(main.peakRssBytes).toBeLessThan(200e6)
  expect(post).toMatchObject({ exitCode: 2, log: 'post of first' })
})

test('an input that action.yml does not declare is refused', async () => {
  await expect(run('', { inputs: { typo: 'x' } })).rejects.toThrow('action.yml has no input typo')
})

test('workflow commands are obeyed and secrets masked', async () => {
  const { log, rawLog, annotations } = await run(`console.log(\`::add-mask::s3cret
::group::Build
::error title=Wrong%3A this%2C that,line=1::it is s3cret%0Aand 100%25
::stop-commands::token
::warning::not a command
::token::
::endgroup::
::debug::s3cret
::unknown::s3cret stays\`)`)

  expect(annotations).toEqual([
    { level: 'error', title: 'Wrong: this, that', message: 'it is ***\nand 100%' }
  ])
  expect(log.split('\n')).toEqual([
    '##[group]Build',
    '##[error]it is ***',
    'and 100%',
    '::warning::not a command',
    '##[endgroup]',
    '::unknown::*** stays'
  ])
  expect(rawLog).toContain('::debug::s3cret')
})

test('signals reach the action, and the post step runs after a kill and a timeout', async () => {
  const patient = `process.on('SIGINT', () => console.log('got it'))
    if (env.STATE_run) process.exit(0)
    appendFileSync(env.GITHUB_STATE, 'run=1\\n')
    console.log('ready')
    setInterval(() => {}, 1000)`
  const signals = [
    { signal: 'SIGINT', afterMs: 0 },
    { signal: 'SIGKILL', afterMs: 200 }
  ] as const

  const killed = await run(patient, { signalAt: { when: /^ready$/, signals } })
  expect(killed).toMatchObject({ exitCode: 137, log: 'ready\ngot it', post: { exitCode: 0 } })

  const late = await run(patient, { timeoutMs: 500 })
  expect(late).toMatchObject({ exitCode: 137, log: 'ready', post: { exitCode: 0 } })
})

test('runs that share a root have the same, emptied RUNNER_TEMP and the same HOME', async () => {
  const root = await mkdtemp(join(tmpdir(), 'runner-'))
  const code = `import { existsSync } from 'node:fs'
    console.log(existsSync(env.RUNNER_TEMP + '/file'), existsSync(env.HOME + '/file'))
    for (const folder of [env.RUNNER_TEMP, env.HOME]) writeFileSync(folder + '/file', '')`
  const logs = [await run(code, { root, post: false }), await run(code, { root, post: false })]
  expect(logs.map(({ log }) => log)).toEqual(['false false', 'false true'])
})

test('what a run leaves behind is found, and what it publishes is not', async () => {
  const clean = await run(`import { mkdirSync } from 'node:fs'
    mkdirSync(env.RUNNER_TEMP + '/out', { recursive: true })
    writeFileSync(env.RUNNER_TEMP + '/out/disk.raw', '')
    appendFileSync(env.GITHUB_OUTPUT, 'files=' + env.RUNNER_TEMP + '/out/disk.raw\\n')`)
  expect(await leftoversOf(clean)).toEqual([])

  const dirty = await run(`import { mkdirSync } from 'node:fs'
    mkdirSync(env.GITHUB_WORKSPACE + '/.docker-to-disk-1', { recursive: true })
    mkdirSync(env.HOME + '/.local/state/docker-to-disk', { recursive: true })
    writeFileSync(env.HOME + '/.local/state/docker-to-disk/1.json', '')
    writeFileSync(env.RUNNER_TEMP + '/disk.raw', Buffer.alloc(65536))
    mkdirSync(env.RUNNER_TEMP + '/mnt')`)
  const [disk, mnt] = [join(dirty.temp, 'disk.raw'), join(dirty.temp, 'mnt')]
  const sudo = (...command: string[]) => execFileSync('sudo', command, { encoding: 'utf8' }).trim()
  const loop = sudo('losetup', '--find', '--show', disk)
  sudo('mount', '-t', 'tmpfs', 'tmpfs', mnt)
  const sleeper = spawn('sleep', ['60'], { cwd: join(dirty.temp, '_runner_file_commands') })
  try {
    expect(await leftoversOf(dirty)).toEqual([
      `loop device ${loop}: ${disk}`,
      expect.stringMatching(`^mount .* ${mnt} `),
      expect.stringMatching(`^process ${sleeper.pid}: sleep 60 `),
      `temporary file ${disk}`,
      `temporary file ${mnt}`,
      `work file ${dirty.workspace}/.docker-to-disk-1`,
      `journal ${dirty.home}/.local/state/docker-to-disk/1.json`
    ])
  } finally {
    sudo('umount', mnt)
    sudo('losetup', '--detach', loop)
    sleeper.kill()
    await once(sleeper, 'exit')
  }
})
