import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { CAUSES } from '../../src/boot-check/causes.ts'

const EVENTS = ['reboot-loop', 'shutdown']

type Step = { uses?: string; with?: Record<string, unknown> }
type Workflow = { on: unknown; jobs: Record<string, { steps?: Step[] }> }

const root = new URL('../../', import.meta.url)
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8')

const action: {
  inputs: Record<string, { default?: string }>
  outputs: Record<string, unknown>
} = parse(read('action.yml'))
const readme = read('README.md')
const OWN_ACTION = 'org/docker-to-disk@v1'

/** Cells of the rows of the table under a heading of the second level; without its head and its rule. */
function tableUnder(heading: string): string[][] {
  const section = readme.split(/^## /m).find(text => text.startsWith(`${heading}\n`)) ?? ''
  const rows = section.split('\n').filter(line => line.startsWith('| `'))
  return rows.map(row =>
    row
      .slice(1, -1)
      .split('|')
      .map(cell => cell.trim())
  )
}

const unquote = (cell: string | undefined): string => /^`(.+)`$/.exec(cell ?? '')?.[1] ?? ''

/** Steps of the workflow that use this action. */
const ownSteps = (workflow: Workflow): Step[] =>
  Object.values(workflow.jobs)
    .flatMap(job => job.steps ?? [])
    .filter(step => step.uses === OWN_ACTION)

const unknownInputs = (step: Step): string[] =>
  Object.keys(step.with ?? {}).filter(name => !(name in action.inputs))

/** Outputs of this action that a text refers to by a step id. */
const outputsReferredTo = (text: string, id: string): string[] =>
  [...text.matchAll(new RegExp(`steps\\.${id}\\.outputs\\.([\\w-]+)`, 'g'))].map(match => match[1] ?? '')

describe('the tables in README.md', () => {
  test('list every input of action.yml with its default, and no other', () => {
    const documented = tableUnder('Inputs').map(([name, value]) => [unquote(name), unquote(value)])
    const declared = Object.entries(action.inputs).map(([name, input]) => [name, input.default ?? ''])
    expect(documented.sort()).toEqual(declared.sort())
  })

  test('list every output of action.yml, and no other', () => {
    const documented = tableUnder('Outputs').map(([name]) => unquote(name))
    expect(documented.sort()).toEqual(Object.keys(action.outputs).sort())
  })

  test('list every cause of a failed boot, and no other', () => {
    const documented = tableUnder('What the boot check says').map(([id]) => unquote(id))
    // What time alone tells has no entry among the causes.
    const known = [...CAUSES.map(({ id }) => id), ...EVENTS, 'getty-missing', 'silent-console', 'timeout']
    expect(documented.sort()).toEqual([...new Set(known)].sort())
  })

  test('say something of each input and output', () => {
    for (const row of tableUnder('Inputs'))
      expect([row[0], row.length, row[2]]).toEqual([row[0], 3, expect.stringMatching(/\w{3}/)])
    for (const row of tableUnder('Outputs'))
      expect([row[0], row.length, row[1]]).toEqual([row[0], 2, expect.stringMatching(/\w{3}/)])
  })
})

describe('the workflows in README.md', () => {
  const blocks = [...readme.matchAll(/^```yaml\n(.*?)^```$/gms)].map(match => match[1] ?? '')
  const steps = blocks
    .map(block => parse(block))
    .flatMap((content: Workflow | Step[]) => (Array.isArray(content) ? content : ownSteps(content)))

  test('are there and use inputs that exist', () => {
    expect(steps.filter(step => step.uses === OWN_ACTION).length).toBeGreaterThan(3)
    expect(steps.filter(step => step.uses === OWN_ACTION).flatMap(unknownInputs)).toEqual([])
  })

  test('use outputs that exist', () => {
    const used = blocks.flatMap(block => outputsReferredTo(block, 'disk'))
    expect(used.length).toBeGreaterThan(0)
    expect(used.filter(name => !(name in action.outputs))).toEqual([])
  })
})

test('links in README.md, SECURITY.md and CONTRIBUTING.md lead to files that exist', () => {
  const links = ['README.md', 'SECURITY.md', 'CONTRIBUTING.md'].flatMap(file =>
    [...read(file).matchAll(/\]\((?!https?:|#)([^)#\s]+)(?:#[^)]*)?\)/g)].map(match => match[1] ?? '')
  )
  expect(links.length).toBeGreaterThan(0)
  expect(links.filter(link => !existsSync(new URL(link, root)))).toEqual([])
})

const examples = readdirSync(new URL('examples/', root), { withFileTypes: true })
  .filter(entry => entry.isDirectory())
  .map(entry => entry.name)

test('there are examples for Alpine, Debian and Ubuntu', () => {
  expect(examples).toEqual(expect.arrayContaining(['alpine', 'debian', 'ubuntu']))
})

describe.each(examples)('examples/%s', example => {
  test('has a Dockerfile that builds on something', () => {
    expect(read(`examples/${example}/Dockerfile`)).toMatch(/^FROM \S/m)
  })

  test('has a workflow that uses this action with inputs and outputs that exist', () => {
    const text = read(`examples/${example}/workflow.yml`)
    const steps = ownSteps(parse(text))
    expect(steps).toHaveLength(1)
    expect(steps.flatMap(unknownInputs)).toEqual([])
    expect(outputsReferredTo(text, 'disk').filter(name => !(name in action.outputs))).toEqual([])
  })
})
