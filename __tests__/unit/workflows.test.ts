import { readdirSync, readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { FAMILIES, familyOf } from '../../src/distro/families.ts'

type Step = { uses?: string; with?: Record<string, unknown> }
type Job = { uses?: string; steps?: Step[]; permissions?: unknown; 'timeout-minutes'?: number }
type Workflow = { permissions?: unknown; concurrency?: unknown; jobs: Record<string, Job> }

const folder = new URL('../../.github/workflows/', import.meta.url)
const files = readdirSync(folder).filter(name => /\.ya?ml$/.test(name))

test('there are workflows', () => {
  expect(files).toEqual(
    expect.arrayContaining(['check-dist.yml', 'codeql.yml', 'examples.yml', 'release.yml', 'test.yml'])
  )
})

describe.each(files)('%s', file => {
  const text = readFileSync(new URL(file, folder), 'utf8')
  const workflow: Workflow = parse(text)
  const jobs = Object.values(workflow.jobs)
  const steps = jobs.flatMap(job => job.steps ?? [])

  test('uses actions of others by commit only', () => {
    const uses = [...jobs, ...steps].flatMap(({ uses }) => (uses === undefined ? [] : [uses]))
    expect(
      uses.filter(name => !name.startsWith('./') && !/^[\w.-]+(\/[\w.-]+)+@[0-9a-f]{40}$/.test(name))
    ).toEqual([])
  })

  test('names the version beside each commit', () => {
    const lines = text.split('\n').filter(line => /@[0-9a-f]{40}/.test(line))
    expect(lines.filter(line => !/@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(line))).toEqual([])
  })

  test('grants nothing to all jobs and says what each is granted', () => {
    expect(workflow.permissions).toEqual({})
    expect(jobs.filter(job => job.permissions === undefined)).toEqual([])
  })

  test('leaves no token in the checkout', () => {
    const checkouts = steps.filter(step => step.uses?.startsWith('actions/checkout@'))
    expect(checkouts.map(step => step.with?.['persist-credentials'])).toEqual(checkouts.map(() => false))
  })

  test('limits the time of its jobs and how many runs there are at once', () => {
    // A job that calls a workflow has the limits of the jobs in there.
    expect(jobs.filter(job => job.uses === undefined && job['timeout-minutes'] === undefined)).toEqual([])
    expect(workflow.concurrency).toBeDefined()
  })
})

test('a bare image of each family but Devuan is booted on hosted runners', () => {
  const text = readFileSync(new URL('examples.yml', folder), 'utf8')
  const { bare } = parse(text).jobs
  const names = (bare.strategy.matrix.include as { name: string }[]).map(
    ({ name }) => familyOf({ id: name, like: [], version: '', name })?.name
  )
  expect(new Set(names)).toEqual(new Set(FAMILIES.map(({ name }) => name).filter(name => name !== 'Devuan')))
  // All by the defaults, the boot check among them.
  expect(Object.keys(bare.steps.at(-1).with)).toEqual(['image', 'name', 'retention-days'])
})
