import { readdirSync, readFileSync } from 'node:fs'

const root = new URL('../../', import.meta.url)
const source = readdirSync(new URL('src/', root), { recursive: true, encoding: 'utf8' })
  .filter(name => name.endsWith('.ts'))
  .map(name => readFileSync(new URL(`src/${name}`, root), 'utf8'))
  .join('\n')

/** Functions that give the argv of a program run as root. */
const BUILDERS: Record<string, string> = { extractArgv: 'tar' }
/** Calls through which the door itself passes what it was given. */
const PASSED_ON = new Set(['argv', 'end'])

function programsInSource(): Set<string> {
  const programs = new Set<string>()
  const unknown: string[] = []
  const see = (argument: string): void => {
    const literal = /^\[\s*(?:\.\.\.\[\s*)?'([\w.-]+)'/.exec(argument)?.[1]
    const name = /^(\w+)/.exec(argument)?.[1] ?? ''
    if (literal !== undefined) programs.add(literal)
    else if (BUILDERS[name] !== undefined) programs.add(BUILDERS[name])
    else if (!PASSED_ON.has(name)) unknown.push(argument.slice(0, 60))
  }
  const code = source.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')
  for (const call of code.matchAll(/(?:runAsRoot|startAsRoot)\(\s*([^)]*)/g)) see(call[1] ?? '')
  for (const end of code.matchAll(/asRoot: true,\s*argv: ([\s\S]{0,80})/g)) see(end[1] ?? '')
  for (const program of code.matchAll(/'-exec',\s*'([\w-]+)'/g)) programs.add(program[1] ?? '')
  if (/'sudo', '-n', 'true'/.test(code)) programs.add('true')
  // The assignments of a root command go through it.
  if (/\['env', /.test(code)) programs.add('env')
  expect(unknown).toEqual([])
  return programs
}

test('SECURITY.md lists the programs that the source runs as root, and no others', () => {
  const text = readFileSync(new URL('SECURITY.md', root), 'utf8')
  const rows = text.split('\n').filter(line => /^\| `/.test(line))
  // The first column names programs; a row's words may name those that run by way of them.
  const listed = rows.flatMap(row => [...row.matchAll(/`([\w.-]+)`/g)].map(([, name]) => name ?? ''))
  const programs = programsInSource()
  expect([...programs].filter(name => !listed.includes(name))).toEqual([])
  const first = rows.flatMap(row =>
    [...(row.split('|')[1] ?? '').matchAll(/`([\w.-]+)`/g)].map(([, name]) => name ?? '')
  )
  expect(first.filter(name => !programs.has(name))).toEqual([])
  expect(first.length).toBeGreaterThan(10)
})

test('no shell and no environment goes along', () => {
  expect(source).not.toMatch(
    /shell: true|\bexec(?:File)?(?:Sync)?\(['"`[]|\[\s*'(?:ba|da)?sh'|'sudo',[^\]]*'-E'|--preserve-env/
  )
  expect(source.match(/from 'node:child_process'/g)).toHaveLength(1)
  // The door, the question whether it opens, and instructions for people.
  expect(source.match(/'sudo', '[^']*'/g)?.sort()).toEqual(["'sudo', '-n'", "'sudo', '-n'", "'sudo', 'dd'"])
})
