import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { ImageConfig } from '../../src/container.ts'
import type { InitSystem } from '../../src/distro/init.ts'
import type { Edit } from '../../src/edits.ts'
import type { Draft } from '../../src/machine/draft.ts'
import { planMachine } from '../../src/machine/plan.ts'
import {
  DEFAULT_PATH,
  dockerProcess,
  type Identity,
  signalNumber
} from '../../src/machine/service/process.ts'
import { quoteWord, switchUser } from '../../src/machine/service/script.ts'
import { plainFacts, sketchDraft, sketchIndex, type TreeSketch } from '../support/tree.ts'

const CONFIG: ImageConfig = {
  architecture: 'amd64',
  entrypoint: ['/usr/bin/serve'],
  cmd: [],
  env: [],
  user: '',
  workingDir: '',
  stopSignal: '',
  volumes: [],
  exposedPorts: [],
  onBuild: false
}

const PASSWD = `root:x:0:0:root:/root:/bin/sh
web:x:1005:50::/home/web:/bin/sh

7:x:300:30::/seven:/bin/sh
twin:x:1005:51::/home/twin:/bin/sh
web:x:1006:52::/home/other:/bin/sh
`
const GROUP = `root:x:0:
audio:x:29:web,twin
staff:x:50:web
video:x:44:other,web
`

const TREE: TreeSketch = {
  'etc/passwd': PASSWD,
  'etc/group': GROUP,
  'usr/bin/env': 9,
  'usr/bin/setpriv': 9,
  'usr/bin/setsid': 9,
  'usr/bin/plain': 9,
  bin: '-> usr/bin'
}

/** A draft in which `/usr/bin/serve` and the paths given are executable. */
function draftOf(tree: TreeSketch, ...programs: string[]): Draft {
  const draft = sketchDraft({ ...TREE, ...tree })
  for (const path of ['usr/bin/serve', ...programs])
    draft.index.add(path, { kind: 'f', mode: 0o755, uid: 0, gid: 0, size: 9, link: null }, 4096, true)
  return draft
}

type Change = Readonly<{
  tree?: TreeSketch
  programs?: string[]
  system?: InitSystem
  network?: 'dhcp' | 'none'
}>

function plan(
  config: Partial<ImageConfig>,
  { tree = {}, programs = [], system, network = 'dhcp' }: Change = {}
) {
  const draft = draftOf(tree, ...programs)
  planMachine(draft, { ...plainFacts(system), network, service: { ...CONFIG, ...config } })
  const find = (path: string): Edit | undefined => draft.edits.find(edit => edit.path === path)
  const text = (path: string): string => {
    const edit = find(path)
    return edit?.kind === 'file' ? edit.content.toString() : ''
  }
  return { draft, find, text }
}

const SCRIPT = 'usr/lib/docker-to-disk/entrypoint'
const scriptOf = (config: Partial<ImageConfig>, change: Change = {}): string =>
  plan(config, change).text(SCRIPT)

describe('what Docker runs', () => {
  const envOf = (env: string[], user = ''): unknown => [
    ...dockerProcess({ ...CONFIG, env, user }, PASSWD, GROUP).env
  ]
  test.each<[string, string[], string, unknown]>([
    [
      'none',
      [],
      '',
      [
        ['PATH', DEFAULT_PATH],
        ['HOSTNAME', null],
        ['HOME', '/root']
      ]
    ],
    [
      'its own in place of those',
      ['A=1', 'PATH=/bin', 'HOSTNAME=h', 'HOME=/h'],
      'web',
      [
        ['PATH', '/bin'],
        ['HOSTNAME', 'h'],
        ['A', '1'],
        ['HOME', '/h']
      ]
    ],
    [
      'odd ones',
      ['a.b-c==x=', 'E=', 'HOSTNAME', '=x', 'A=1', 'A=2', 'HOME='],
      '1005',
      [
        ['PATH', DEFAULT_PATH],
        ['a.b-c', '=x='],
        ['E', ''],
        ['A', '2'],
        ['HOME', '/home/web']
      ]
    ],
    [
      'those of a user without a name',
      [],
      '4711',
      [
        ['PATH', DEFAULT_PATH],
        ['HOSTNAME', null],
        ['HOME', '/']
      ]
    ]
  ])('environment: %s', (_, env, user, expected) => {
    expect(envOf(env, user)).toEqual(expected)
  })

  test.each<[string, Partial<Identity>]>([
    ['', { uid: 0, gid: 0, groups: [0], loginName: 'root' }],
    ['web', { uid: 1005, gid: 50, groups: [50, 29, 44], loginName: 'web' }],
    ['1005', { uid: 1005, gid: 50, groups: [50, 29, 44], loginName: 'web' }],
    ['1006', { uid: 1006, gid: 52, groups: [52, 29, 50, 44], loginName: null }],
    ['web:audio', { uid: 1005, gid: 29, groups: [29], loginName: null }],
    ['web:99', { uid: 1005, gid: 99, groups: [99], loginName: null }],
    [':audio', { uid: 0, gid: 29, groups: [29], loginName: null }],
    ['7', { uid: 7, gid: 0, groups: [0], loginName: null }],
    ['4711:4712', { uid: 4711, gid: 4712, groups: [4712], loginName: null }]
  ])('USER %j', (user, expected) => {
    expect(dockerProcess({ ...CONFIG, user }, PASSWD, GROUP).identity).toEqual(expected)
  })

  test.each([
    ['nobody', 'no user "nobody": /etc/passwd'],
    ['web:nogroup', 'no group "nogroup": /etc/group'],
    ['2147483648', 'no user "2147483648"'],
    ['web:-1', 'no group "-1"']
  ])('USER %j is refused', (user, message) => {
    expect(() => plan({ user })).toThrow(message)
  })

  test.each([
    ['', 15],
    ['SIGQUIT', 3],
    ['usr1', 10],
    ['9', 9],
    ['SIGRTMIN+3', 37],
    ['SIGRTMAX-1', 63],
    ['RTMAX', 64],
    ['SIGNONE', 15],
    ['99', 15],
    ['constructor', 15]
  ])('STOPSIGNAL %j is %d', (name, number) => {
    expect(signalNumber(name)).toBe(number)
  })

  test('nothing to run is an error, and nothing is planned where it is not wanted', () => {
    expect(() => plan({ entrypoint: [], cmd: [] })).toThrow('neither ENTRYPOINT nor CMD')
    const draft = draftOf({})
    planMachine(draft, plainFacts())
    expect(draft.edits.some(({ path }) => path.includes('docker-to-disk'))).toBe(false)
  })
})

describe('the program', () => {
  test.each<[string, Partial<ImageConfig>, string]>([
    ['by its path', { entrypoint: ['/usr/bin/serve'] }, ''],
    ['through a link', { entrypoint: ['/bin/serve'] }, ''],
    ['by its name', { entrypoint: [], cmd: ['serve'] }, ''],
    ['from the working directory', { entrypoint: ['../bin/serve'], workingDir: '/usr/share' }, ''],
    [
      'from a relative folder of PATH',
      { entrypoint: ['serve'], env: ['PATH=/sbin:bin'], workingDir: '/usr' },
      ''
    ],
    [
      'not there',
      { entrypoint: ['/usr/bin/other'] },
      'no such program in the image: looked for /usr/bin/other'
    ],
    ['not in PATH', { entrypoint: ['serve'], env: ['PATH=/a:/b'] }, 'looked for /a/serve, /b/serve'],
    ['not below the working directory', { entrypoint: ['srv/serve'] }, 'looked for /srv/serve.'],
    ['without a name', { entrypoint: [''] }, 'begins with ""'],
    ['not executable', { entrypoint: ['plain'] }, '/usr/bin/plain is not executable'],
    ['a folder', { entrypoint: ['/usr/bin'] }, 'no such program']
  ])('%s', (_, config, message) => {
    const tree = { 'usr/share/x': 1 }
    if (message === '') expect(scriptOf(config, { tree })).toContain(' -i -- ')
    else expect(() => scriptOf(config, { tree })).toThrow(message)
  })

  test('may not be the init', () => {
    const tree = { 'sbin/x': 1, 'usr/bin/init': '-> ../../sbin/init' }
    expect(() => plan({ entrypoint: ['init'] }, { tree, programs: ['sbin/init'] })).toThrow(
      'starts with anyway'
    )
  })

  test('may be another program of the BusyBox that is the init', () => {
    const draft = draftOf({ 'usr/bin/httpd': '-> busybox', 'usr/bin/init': '-> busybox' }, 'usr/bin/busybox')
    const facts = {
      ...plainFacts('busybox'),
      init: { path: '/sbin/init', program: 'usr/bin/busybox', system: 'busybox' }
    } as const
    const planned = (name: string) => () =>
      planMachine(draft, { ...facts, service: { ...CONFIG, entrypoint: [name] } })
    expect(planned('httpd')).not.toThrow()
    expect(planned('init')).toThrow('starts with anyway')
  })

  test.each([
    [['bash'], true],
    [['/bin/sh'], true],
    [['sh', '-c', 'serve'], false],
    [['/usr/bin/serve'], false]
  ])('%j is a shell that has nothing to do: %j', (cmd, warned) => {
    const { draft } = plan({ entrypoint: [], cmd }, { programs: ['usr/bin/bash', 'usr/bin/sh'] })
    expect(draft.warnings.some(warning => warning.includes('just the shell'))).toBe(warned)
  })

  test('its name may not be taken for a variable', () => {
    expect(() => plan({ entrypoint: ['/opt/a=b'] }, { tree: { 'opt/x': 1 }, programs: ['opt/a=b'] })).toThrow(
      'holds "="'
    )
  })
})

const HOSTILE = [
  '',
  ' two  words\t',
  `it's "quoted" '''`,
  '%h %% $HOME $(id) `id` $$',
  'back\\slash \\n \\',
  'new\nline\n',
  '\r\u001b[31m\u007f\u0001',
  'ä\u0085\u2028😀',
  '-n',
  '--',
  ';',
  '* ? [a] ~ # ! & | < > ( ) { } ^'
]

test('a shell reads every word back as it was', () => {
  const script = `printf '%s\\0' ${HOSTILE.map(quoteWord).join(' ')}`
  expect(execFileSync('/bin/sh', ['-c', script], { encoding: 'utf8' }).split('\0')).toEqual([...HOSTILE, ''])
})

test('the script gives the process its arguments, environment and folder, and nothing else', () => {
  const argv = ['sh', '-c', 'pwd; od -An -v -tx1 /proc/$$/cmdline /proc/$$/environ; exit', ...HOSTILE]
  const env = HOSTILE.map((value, i) => `V.${i}=${value}`)
  const script = scriptOf(
    { entrypoint: argv.slice(0, 1), cmd: argv.slice(1), env, workingDir: '/usr/lib' },
    { tree: { 'usr/lib/x': 1 }, programs: ['usr/bin/sh'] }
  )
  // The part before needs a root and a kernel of its own.
  const tail = `hostname='a b'\n${script.slice(script.indexOf('cd '))}`
  const output = execFileSync('/bin/sh', ['-c', tail], { encoding: 'utf8', env: { NOISE: 'x' } })
  const [folder, ...dump] = output.split('\n')
  const words = Buffer.from(dump.join('').replaceAll(' ', ''), 'hex').toString().split('\0')
  expect(folder).toBe('/usr/lib')
  expect(words).toEqual([...argv, `PATH=${DEFAULT_PATH}`, 'HOSTNAME=a b', ...env, 'HOME=/root', ''])
})

describe('the user', () => {
  const web: Identity = { uid: 1005, gid: 50, groups: [50, 29], loginName: 'web' }
  const number: Identity = { uid: 7, gid: 0, groups: [0], loginName: null }
  const further: Identity = { uid: 7, gid: 8, groups: [8, 9], loginName: null }
  const busybox = { 'bin/busybox': 9, 'bin/su': '-> /bin/busybox', 'bin/setpriv': '-> busybox' }
  test.each<[string, TreeSketch, Identity, string | null]>([
    ['root', {}, { uid: 0, gid: 0, groups: [0], loginName: 'root' }, ''],
    ['setpriv', { 'usr/bin/setpriv': 9 }, web, '/usr/bin/setpriv --reuid 1005 --regid 50 --groups 50,29 -- '],
    ['chpst', { 'usr/bin/chpst': 9 }, web, '/usr/bin/chpst -u :1005:50:29 '],
    ['gosu by name', { 'usr/local/bin/gosu': 9 }, web, "/usr/local/bin/gosu 'web' "],
    ['su-exec by number', { 'sbin/su-exec': 9 }, number, '/sbin/su-exec 7:0 '],
    ['su-exec with further groups', { 'sbin/su-exec': 9 }, further, null],
    ['su of BusyBox', busybox, web, `/bin/su -s /bin/sh -c 'exec "$@"' -- 'web' sh `],
    ['su of BusyBox without a name', busybox, number, null],
    ['su of another package', { 'bin/su': 9 }, web, null],
    ['nothing', {}, web, null]
  ])('by %s', (_, tree, identity, expected) => {
    const words = (): string => switchUser(sketchIndex(tree), identity)
    if (expected === null) expect(words).toThrow('RUN apk add --no-cache setpriv')
    else expect(words()).toBe(expected)
  })

  test('whatever its name is, it is one word', () => {
    const name = `'; reboot; '-x $(id)`
    const words = switchUser(sketchIndex({ 'sbin/gosu': 9 }), { ...web, loginName: name })
    expect(execFileSync('/bin/sh', ['-c', `printf '%s\\n' ${words}`], { encoding: 'utf8' })).toBe(
      `/sbin/gosu\n${name}\n`
    )
  })
})

describe('folders', () => {
  test('of WORKDIR and VOLUME are made where they are missing, and stay as they are where not', () => {
    const { draft } = plan(
      { workingDir: '/srv/app/', volumes: ['/data', '/var/lib/../lib/own', '/link'] },
      { tree: { 'var/lib/own': null, 'real/data': null, link: '-> real/data' } }
    )
    expect(draft.edits.filter(edit => edit.kind === 'folder')).toEqual(
      ['srv/app', 'data'].map(path => ({ kind: 'folder', path, mode: 0o755, uid: 0, gid: 0 }))
    )
  })

  test('that a boot leaves empty are made by the script, with their owners', () => {
    const draft = draftOf({ 'var/run': '-> ../run', "run/it's/deep": null, 'run/file': 'x' })
    draft.index.add('run/db', { kind: 'd', mode: 0o2775, uid: 70, gid: 71, size: 0, link: null }, 4096, true)
    const service = { ...CONFIG, volumes: ['/tmp/cache', '/var/run/db'], workingDir: '/run/new' }
    planMachine(draft, { ...plainFacts(), service })
    const script = draft
      .text(SCRIPT)
      ?.split('\n')
      .filter(line => line.startsWith('[ -d '))
    expect(script).toEqual([
      "[ -d '/run/db' ] || { mkdir -p '/run/db' && chown 70:71 '/run/db' && chmod 2775 '/run/db'; }",
      ...["/run/it'\\''s", "/run/it'\\''s/deep", '/run/new', '/tmp/cache'].map(
        path => `[ -d '${path}' ] || { mkdir -p '${path}' && chown 0:0 '${path}' && chmod 755 '${path}'; }`
      )
    ])
  })
})

test.each<[string, Partial<ImageConfig>, string | null]>([
  [
    'a port that only root may serve on',
    { user: 'web', exposedPorts: ['8080/tcp', '80/tcp', '443/udp'] },
    'echo 80 >'
  ],
  ['any port for root', { exposedPorts: ['80/tcp'] }, null],
  ['another port', { user: 'web', exposedPorts: ['8080/tcp'] }, null]
])('%s', (_, config, expected) => {
  const script = scriptOf(config)
  if (expected === null) expect(script).not.toContain('ip_unprivileged_port_start')
  else expect(script).toContain(`${expected}/proc/sys/net/ipv4/ip_unprivileged_port_start\n`)
})

const SUPERVISE = 'usr/lib/docker-to-disk/supervise'

describe('what supervises it where the init does not', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'supervise-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  /** Writes the script with the machine's files in a folder of its own, and a process to be supervised. */
  function prepare(entrypoint: string): string {
    const text = plan({ stopSignal: 'SIGQUIT' }, { system: 'busybox' })
      .text(SUPERVISE)
      .replaceAll('/usr/lib/docker-to-disk/', `${folder}/`)
      .replaceAll('/dev/console', `${folder}/console`)
      .replaceAll('/run/', `${folder}/`)
    writeFileSync(join(folder, 'entrypoint'), `#!/bin/sh\ncd ${folder}\n${entrypoint}\n`, { mode: 0o755 })
    writeFileSync(join(folder, 'supervise'), text, { mode: 0o755 })
    return join(folder, 'supervise')
  }
  const seen = (): string =>
    existsSync(join(folder, 'seen')) ? readFileSync(join(folder, 'seen'), 'utf8') : ''

  test('starts it again after a failure, and not after a success', () => {
    execFileSync(prepare('echo run >>seen; [ -e once ] || { : >once; exit 3; }'))
    expect(seen()).toBe('run\nrun\n')
    expect(readFileSync(join(folder, 'console'), 'utf8')).toContain('ended with status 3, starts again\n')
  })

  test('ends it by its signal, which it does not ignore', async () => {
    const script = prepare(
      'trap "echo quit >>seen; exit 1" QUIT; echo run >>seen; while :; do sleep 0.1; done'
    )
    const supervisor = spawn(script, { stdio: 'ignore' })
    const ended = once(supervisor, 'exit')
    while (seen() === '') await delay(50)
    execFileSync(script, ['stop'])
    expect(seen()).toBe('run\nquit\n')
    expect(await ended).toEqual([null, 'SIGTERM'])
    expect(readdirSync(folder).filter(name => name.endsWith('.pid'))).toEqual([])
  })

  test.each([
    ['is killed under runit', true],
    ['is left alone under runit if it is another by then', false]
  ])('what does not end by its signal %s', async (_, same) => {
    const path = 'etc/sv/docker-to-disk-entrypoint/control/t'
    const text = plan({ stopSignal: 'SIGQUIT' }, { system: 'runit' }).text(path)
    writeFileSync(join(folder, 't'), text.replace('sleep 10', 'sleep 1'), { mode: 0o755 })
    const stubborn = spawn('sh', ['-c', 'trap "echo quit" QUIT; echo up; while :; do sleep 0.1; done'])
    const ended = once(stubborn, 'exit')
    let output = ''
    stubborn.stdout.on('data', chunk => {
      output += chunk
    })
    try {
      while (output === '') await delay(50)
      mkdirSync(join(folder, 'supervise'))
      writeFileSync(join(folder, 'supervise/pid'), `${stubborn.pid}\n`)
      execFileSync('./t', { cwd: folder })
      // Empty while there is no process (runsv.c, update_status).
      if (!same) writeFileSync(join(folder, 'supervise/pid'), '')
      expect(await Promise.race([ended, delay(2500, 'alive')])).toEqual(same ? [null, 'SIGKILL'] : 'alive')
      expect(output).toBe('up\nquit\n')
    } finally {
      stubborn.kill('SIGKILL')
    }
  })
})

describe('is run by', () => {
  const NAME = 'docker-to-disk-entrypoint'
  const quit = { stopSignal: 'SIGQUIT' }

  test('systemd', () => {
    const { text, find } = plan(quit)
    const unit = text(`etc/systemd/system/${NAME}.service`)
    for (const line of [
      'Wants=network-online.target',
      'After=network-online.target',
      'ExecStart=/usr/lib/docker-to-disk/entrypoint',
      'KillSignal=3',
      'Restart=on-failure',
      'StandardOutput=journal+console'
    ])
      expect(unit.split('\n')).toContain(line)
    expect(find(`etc/systemd/system/multi-user.target.wants/${NAME}.service`)).toMatchObject({
      target: `../${NAME}.service`
    })
    expect(find(SCRIPT)).toMatchObject({ mode: 0o700, uid: 0, gid: 0 })
    expect(find(SUPERVISE)).toBeUndefined()
    expect(plan({}, { network: 'none' }).text(`etc/systemd/system/${NAME}.service`)).not.toContain('Wants=')
  })

  test('OpenRC', () => {
    const { text, find } = plan(quit, { system: 'openrc', tree: { 'usr/bin/openrc-run': 9 } })
    expect(text(`etc/init.d/${NAME}`)).toMatch(/^#!\/usr\/bin\/openrc-run\n/)
    expect(find(`etc/init.d/${NAME}`)).toMatchObject({ mode: 0o755 })
    expect(find(`etc/runlevels/default/${NAME}`)).toMatchObject({ target: `/etc/init.d/${NAME}` })
    expect(text(SUPERVISE)).toContain('kill -3 ')
  })

  test.each([
    ['etc/runit/runsvdir/default', { 'etc/runit/runsvdir/default': null }],
    ['etc/service', {}]
  ])('runit from /%s', (folder, tree) => {
    const { text, find } = plan(quit, { system: 'runit', tree: tree as TreeSketch })
    expect(find(`${folder}/${NAME}`)).toMatchObject({ kind: 'link', target: `/etc/sv/${NAME}` })
    expect(text(`etc/sv/${NAME}/run`)).toContain('exec /usr/lib/docker-to-disk/entrypoint\n')
    expect(text(`etc/sv/${NAME}/control/t`)).toContain('kill -3 ')
  })

  test('SysV init', () => {
    const { text } = plan(quit, {
      system: 'sysvinit',
      tree: { 'etc/inittab': 'id:2:initdefault:\nl2:2:wait:rc 2' }
    })
    expect(text('etc/inittab')).toBe(
      'd2d0:016:wait:/usr/lib/docker-to-disk/supervise stop\nid:2:initdefault:\nl2:2:wait:rc 2\n' +
        'd2d1:2345:once:/usr/bin/setsid /usr/lib/docker-to-disk/supervise\n'
    )
  })

  test.each<[string, TreeSketch, RegExp]>([
    ['with an inittab', { 'etc/inittab': '::shutdown:umount -a\n' }, /\n::shutdown:umount -a\n$/],
    ['without one', {}, /\n::sysinit:\/etc\/init.d\/rcS\n[\s\S]*::shutdown:\/bin\/umount -a -r\n/]
  ])('BusyBox init %s', (_, tree, rest) => {
    const inittab = plan(quit, { system: 'busybox', tree }).text('etc/inittab')
    expect(inittab).toMatch(
      /^::shutdown:\/usr\/lib\/docker-to-disk\/supervise stop\n::once:\/usr\/bin\/setsid \/usr\/lib\/docker-to-disk\/supervise\n/
    )
    expect(inittab).toMatch(rest)
  })

  test('no other init', () => {
    expect(() => plan({}, { system: 'other' })).toThrow('is none that starts services')
  })
})
