import { type Builder, buildArgv, unsupportedInputs } from '../../src/docker-build.ts'
import type { BuildInputs } from '../../src/inputs.ts'

const PLAIN: BuildInputs = {
  context: '/src',
  file: null,
  target: null,
  buildArgs: [],
  buildContexts: [],
  secrets: [],
  ssh: [],
  labels: [],
  addHosts: [],
  cacheFrom: [],
  cacheTo: [],
  noCache: false,
  pull: false,
  network: null,
  builder: null
}
const argv = (build: Partial<BuildInputs>, builder: Builder = 'buildx'): string[] =>
  buildArgv(
    { ...PLAIN, ...build },
    { builder, platform: 'linux/amd64', iidFile: '/w/iid', secretPath: id => `/w/secrets/${id}` }
  )

const BUILDX = [
  'docker',
  'buildx',
  'build',
  '--load',
  '--progress',
  'plain',
  '--platform',
  'linux/amd64',
  '--iidfile',
  '/w/iid'
]

test.each<[string, Partial<BuildInputs>, string[]]>([
  ['nothing else', {}, []],
  ['file', { file: '/src/Docker file' }, ['--file', '/src/Docker file']],
  ['target', { target: 'final' }, ['--target', 'final']],
  ['network', { network: 'host' }, ['--network', 'host']],
  ['builder', { builder: 'my builder' }, ['--builder', 'my builder']],
  ['no-cache and pull', { noCache: true, pull: true }, ['--no-cache', '--pull']],
  [
    'build arguments as given',
    { buildArgs: ['A=1,2', 'B="q" $x', 'C=two\nlines', '--D=e'] },
    ['--build-arg', 'A=1,2', '--build-arg', 'B="q" $x', '--build-arg', 'C=two\nlines', '--build-arg', '--D=e']
  ],
  [
    'build contexts',
    { buildContexts: ['base=docker-image://debian'] },
    ['--build-context', 'base=docker-image://debian']
  ],
  ['labels', { labels: ['a=b c'] }, ['--label', 'a=b c']],
  ['hosts', { addHosts: ['a:1.2.3.4'] }, ['--add-host', 'a:1.2.3.4']],
  ['ssh', { ssh: ['default'] }, ['--ssh', 'default']],
  [
    'caches',
    { cacheFrom: ['type=gha,scope=a'], cacheTo: ['type=gha,mode=max'] },
    ['--cache-from', 'type=gha,scope=a', '--cache-to', 'type=gha,mode=max']
  ],
  [
    'secrets by file or variable, never by value',
    {
      secrets: [
        { id: 'a', value: 'very secret' },
        { id: 'b', path: '/x/y,z "q"' },
        { id: 'c', variable: 'TOKEN' }
      ]
    },
    [
      '--secret',
      'type=file,id=a,src=/w/secrets/a',
      '--secret',
      'type=file,id=b,"src=/x/y,z ""q"""',
      '--secret',
      'id=c,env=TOKEN'
    ]
  ]
])('buildx: %s', (_, build, expected) => {
  expect(argv(build)).toEqual([...BUILDX, ...expected, '--', '/src'])
})

test('BuildKit without buildx', () => {
  expect(argv({}, 'buildkit')).toEqual(['docker', 'build', ...BUILDX.slice(4), '--', '/src'])
})

test('the legacy builder knows neither progress nor platform', () => {
  expect(argv({ labels: ['a=b'] }, 'legacy')).toEqual([
    'docker',
    'build',
    '--force-rm',
    '--iidfile',
    '/w/iid',
    '--label',
    'a=b',
    '--',
    '/src'
  ])
})

test.each<[Builder, string[]]>([
  ['buildx', []],
  ['buildkit', ['build-contexts', 'cache-to', 'builder']],
  ['legacy', ['build-contexts', 'cache-to', 'builder', 'secrets', 'ssh']]
])('what %s cannot honour', (builder, inputs) => {
  const build = {
    ...PLAIN,
    buildContexts: ['a=b'],
    cacheTo: ['c'],
    builder: 'd',
    secrets: [{ id: 'e', value: 'f' }],
    ssh: ['g'],
    cacheFrom: ['h']
  }
  expect(unsupportedInputs(build, builder)).toEqual(inputs)
})
