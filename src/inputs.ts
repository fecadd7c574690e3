import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import * as core from '@actions/core'
import { parse } from 'csv-parse/sync'
import { NETWORK_CARDS, type NetworkCard } from './boot-check/devices.ts'
import { type Expectation, parseHttpExpectation, parsePort } from './boot-check/expectations.ts'
import type { GuestScript } from './boot-check/guest-tests.ts'
import { DISK_BUSES, type DiskBus } from './distro/disk-buses.ts'
import { ActionError, messageOf } from './errors.ts'
import { formatBytes, MIB, parseSize } from './text.ts'

const CONTAINERS = ['raw', 'qcow2', 'vmdk', 'vdi', 'vhd', 'vhdx'] as const
const COMPRESSIONS = ['zst', 'gz', 'xz'] as const
const FILESYSTEMS = ['ext4', 'ext3', 'ext2'] as const
const ACCELERATORS = ['auto', 'kvm', 'tcg'] as const
const INSTALL_SYSTEM = ['auto', 'always', 'never'] as const
const KERNEL_FLAVOURS = ['cloud', 'generic'] as const
const NETWORKS = ['dhcp', 'none'] as const

/** A file to make: a disk container format, compressed as a whole or not. */
export type Format = Readonly<{
  container: (typeof CONTAINERS)[number]
  compression: (typeof COMPRESSIONS)[number] | null
}>
export type Filesystem = (typeof FILESYSTEMS)[number]
export type Accelerator = (typeof ACCELERATORS)[number]
export type InstallSystem = (typeof INSTALL_SYSTEM)[number]
/** `cloud` is the family's smallest kernel for virtual machines, `generic` the one for any machine. */
export type KernelFlavour = (typeof KERNEL_FLAVOURS)[number]
export type MachineNetwork = (typeof NETWORKS)[number]

/** A secret of the build: where Docker finds it. Values given inline are written to files by the container stage. */
export type Secret = Readonly<{ id: string } & ({ value: string } | { path: string } | { variable: string })>

export type BuildInputs = Readonly<{
  context: string
  file: string | null
  target: string | null
  buildArgs: readonly string[]
  buildContexts: readonly string[]
  secrets: readonly Secret[]
  ssh: readonly string[]
  labels: readonly string[]
  addHosts: readonly string[]
  cacheFrom: readonly string[]
  cacheTo: readonly string[]
  noCache: boolean
  pull: boolean
  network: string | null
  builder: string | null
}>

export type BootInputs = Readonly<{
  /** Seconds from power-on to the verdict at the latest. */
  timeout: number
  successPattern: RegExp | null
  memoryMiB: number
  cpus: number
  accelerator: Accelerator
  /** What has to answer in the guest once it is up, each once. */
  expectations: readonly Expectation[]
  diskBus: DiskBus | 'auto'
  networkCard: NetworkCard | 'auto'
  /** Scripts to run as root in the machine once it is up, in this order. */
  scripts: readonly GuestScript[]
  /** Seconds that each script may take. */
  testTimeout: number
  /** Whether a second boot has to see what a first one wrote. */
  checkPersistence: boolean
  /** Whether a unit of systemd that failed fails the check. */
  failOnFailedUnits: boolean
  /** Seconds from power-on to the sign of success at the most; null for any. */
  maxSeconds: number | null
  /** Disk buses to boot on, one after the other, each once; none for the one of `diskBus`. */
  matrix: readonly DiskBus[]
}>

/** Name of the machine: as the user wants it, or after the image where that can be one. */
export const machineName = ({ hostname, name }: Pick<Inputs, 'hostname' | 'name'>): string =>
  hostname ?? (isHostname(name) ? name : 'localhost')

/** Whether something is to run in the machine, for which it boots from a copy of the disk. */
export const needsCopy = ({ scripts, checkPersistence, failOnFailedUnits }: BootInputs): boolean =>
  scripts.length > 0 || checkPersistence || failOnFailedUnits

export type Inputs = Readonly<{
  /** What gives the root filesystem: a Dockerfile to build or an image that exists. */
  source: Readonly<{ kind: 'build'; build: BuildInputs } | { kind: 'image'; reference: string }>
  platform: string
  installSystem: InstallSystem
  kernel: KernelFlavour
  hostname: string | null
  network: MachineNetwork
  /** Login that the keys are for; null for root. */
  user: string | null
  /** Lines of authorized_keys(5). */
  authorizedKeys: readonly string[]
  /** Whether the image's own process runs as a service. */
  entrypointService: boolean
  rootPassword: string | null
  kernelArgs: string
  serialConsole: boolean
  /** Disk size in bytes, a multiple of 1 MiB; null to fit the content. */
  sizeBytes: number | null
  /** Free space in bytes that a fitted disk has beyond its content. */
  extraSpaceBytes: number
  filesystem: Filesystem
  name: string
  /** At least one, without repetition. */
  formats: readonly Format[]
  /** Absolute path, or null for a fresh folder. */
  outputDir: string | null
  uploadArtifact: boolean
  retentionDays: number | null
  /** Bytes that each image file may have at the most; null for any. */
  maxImageBytes: number | null
  /** Null if the boot check is off. */
  boot: BootInputs | null
  installTools: boolean
}>

/** File extension of a format, such as `qcow2` or `raw.zst`. */
export const extensionOf = (format: Format): string =>
  format.compression ? `${format.container}.${format.compression}` : format.container

type Problem = string

/** Collects what is wrong with the inputs, so that one run names all of it. */
class Reader {
  readonly problems: Problem[] = []

  text(name: string): string {
    return core.getInput(name)
  }

  optional(name: string): string | null {
    return this.text(name) || null
  }

  wrong(name: string, value: string, allowed: string): void {
    const shown = value.length > 200 ? `${value.slice(0, 200)}…` : value
    this.problems.push(`Input ${name} is ${JSON.stringify(shown)}, but ${allowed}`)
  }

  boolean(name: string): boolean {
    const value = this.text(name)
    if (/^(true|True|TRUE)$/.test(value)) return true
    if (!/^(false|False|FALSE)$/.test(value)) this.wrong(name, value, 'it has to be true or false.')
    return false
  }

  oneOf<T extends string>(name: string, allowed: readonly T[], fallback: T): T {
    const value = this.text(name)
    const found = allowed.find(candidate => candidate === value)
    if (found === undefined) this.wrong(name, value, `it has to be one of ${allowed.join(', ')}.`)
    return found ?? fallback
  }

  integer(name: string, from: number, to: number, what: string): number {
    const value = this.text(name)
    const number = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN
    if (number >= from && number <= to) return number
    this.wrong(name, value, `it has to be a whole number of ${what} from ${from} to ${to}.`)
    return from
  }

  size(name: string, least: number): number {
    const value = this.text(name)
    const bytes = parseSize(value)
    if (bytes === null) {
      this.wrong(name, value, 'it has to be a number with a unit, such as 1500M, 2G or 2GiB.')
      return least
    }
    if (bytes < least || bytes > 1024 ** 4 * 8) {
      this.wrong(name, value, `it has to be from ${formatBytes(least)} to 8 TiB.`)
    }
    return bytes
  }

  /**
   * Items of a list input, one a line. As in docker/build-push-action, a line may be quoted as a CSV field to hold newlines
   * (`"NAME=two\nlines"`, a quote inside doubled); other than there, commas and quotes inside an item reach Docker as they
   * are.
   */
  list(name: string): string[] {
    const value = this.text(name)
    try {
      // No delimiter that a value could hold: each record is one field.
      const records = parse(value, {
        delimiter: '\u0000',
        relax_quotes: true,
        skip_empty_lines: true,
        cast: (field, { quoting }) => (quoting ? field : field.trim())
      }) as string[][]
      return records.map(([field = '']) => field).filter(Boolean)
    } catch (error) {
      this.wrong(name, value, `a quoted item in it does not end as one (${messageOf(error)}).`)
      return []
    }
  }

  /** Items of a list input that have to be `key=value`; both sides non-empty. */
  pairs(name: string, example: string): [key: string, value: string][] {
    return this.list(name).flatMap(item => {
      const at = item.indexOf('=')
      if (at > 0 && at < item.length - 1) return [[item.slice(0, at).trim(), item.slice(at + 1)]]
      // The item may be a secret: name its place in the list, not its text.
      this.problems.push(
        `Input ${name} holds an item that is not of the form ${example}; write ${example}, one a line.`
      )
      return []
    })
  }
}

/**
 * Reads and validates all inputs; the only reader of them. Masks what is secret before anything else.
 * @throws ActionError that names every wrong input, its value and what is allowed
 */
export function readInputs(env: NodeJS.ProcessEnv = process.env): Inputs {
  const read = new Reader()
  const rootPassword = core.getInput('root-password', { trimWhitespace: false }) || null
  if (rootPassword !== null) core.setSecret(rootPassword)
  const secrets = readSecrets(read, env)

  const inputs: Inputs = {
    source: readSource(read, secrets),
    platform: readPlatform(read),
    installSystem: read.oneOf('install-system', INSTALL_SYSTEM, 'auto'),
    kernel: read.oneOf('kernel', KERNEL_FLAVOURS, 'cloud'),
    network: readMachineNetwork(read),
    user: readUser(read),
    authorizedKeys: readAuthorizedKeys(read),
    entrypointService: read.boolean('entrypoint-service'),
    hostname: readHostname(read),
    rootPassword: checkPassword(read, rootPassword),
    kernelArgs: readKernelArgs(read),
    serialConsole: read.boolean('serial-console'),
    sizeBytes: read.text('size') === 'auto' ? null : roundUp(read.size('size', 16 * MIB), MIB),
    extraSpaceBytes: read.size('extra-space', 0),
    filesystem: read.oneOf('filesystem', FILESYSTEMS, 'ext4'),
    name: readName(read, env),
    formats: readFormats(read),
    outputDir: readOutputDir(read),
    uploadArtifact: read.boolean('upload-artifact'),
    retentionDays: read.text('retention-days') ? read.integer('retention-days', 1, 400, 'days') : null,
    maxImageBytes: read.text('max-image-size') ? read.size('max-image-size', MIB) : null,
    boot: readBoot(read),
    installTools: read.boolean('install-tools')
  }
  if (read.problems.length > 0) throw new ActionError(read.problems.join('\n'), 'Wrong input')
  return inputs
}

const roundUp = (value: number, multiple: number): number => Math.ceil(value / multiple) * multiple

function readSecrets(read: Reader, env: NodeJS.ProcessEnv): Secret[] {
  const inline = read.pairs('secrets', 'id=value').map(([id, value]) => {
    core.setSecret(value)
    return { id, value }
  })
  const files = read.pairs('secret-files', 'id=path').map(([id, path]) => {
    if (!isFile(path)) read.wrong('secret-files', `${id}=${path}`, 'there is no such file.')
    return { id, path: resolve(path) }
  })
  const variables = read.pairs('secret-envs', 'id=VARIABLE').map(([id, variable]) => {
    if (env[variable] === undefined) {
      read.wrong(
        'secret-envs',
        `${id}=${variable}`,
        'there is no such environment variable; set it under env: of the step.'
      )
    } else core.setSecret(env[variable])
    return { id, variable }
  })
  const secrets = [...inline, ...files, ...variables]
  for (const { id } of secrets) {
    // The id becomes the name of a file.
    if (!/^(?!\.+$)[\w.-]+$/.test(id)) {
      read.problems.push(
        `A secret's id is ${JSON.stringify(id)}, but it has to consist of letters, digits, '_', '.' and '-'.`
      )
    }
  }
  return secrets
}

/** Inputs that only a build has, for the message of who gives an image too. */
const BUILD_ONLY = [
  [
    'file',
    'target',
    'build-args',
    'build-contexts',
    'secrets',
    'secret-files',
    'secret-envs',
    'ssh',
    'labels'
  ],
  ['add-hosts', 'cache-from', 'cache-to', 'build-network', 'builder']
].flat()

function readSource(read: Reader, secrets: readonly Secret[]): Inputs['source'] {
  const reference = read.optional('image')
  if (reference !== null) {
    if (!/^[\w][\w.:/@-]*$/.test(reference)) {
      read.wrong('image', reference, 'it has to be an image reference, such as debian:bookworm.')
    }
    const given = BUILD_ONLY.filter(name => read.text(name) !== '')
    if (given.length > 0)
      read.wrong('image', reference, `an image is not built: leave out ${given.join(', ')}.`)
    return { kind: 'image', reference }
  }
  return {
    kind: 'build',
    build: {
      ...readContext(read),
      target: read.optional('target'),
      buildArgs: read.list('build-args'),
      buildContexts: read.pairs('build-contexts', 'name=path').map(pair => pair.join('=')),
      secrets,
      ssh: read.list('ssh'),
      labels: read.list('labels'),
      addHosts: read.list('add-hosts'),
      cacheFrom: read.list('cache-from'),
      cacheTo: read.list('cache-to'),
      noCache: read.boolean('no-cache'),
      pull: read.boolean('pull'),
      network: readBuildNetwork(read),
      builder: read.optional('builder')
    }
  }
}

/** Whether Docker fetches the context itself: a Git repository or an archive by URL. */
const isRemote = (context: string): boolean =>
  /^(https?:\/\/|git:\/\/|ssh:\/\/|git@|github\.com\/)/.test(context)

function readContext(read: Reader): { context: string; file: string | null } {
  const context = read.text('context')
  const file = read.optional('file')
  if (isRemote(context)) return { context, file }
  if (!isFolder(context)) {
    read.wrong('context', context, `there is no such folder (looked in ${process.cwd()}).`)
    return { context, file }
  }
  const dockerfile = resolve(file ?? join(context, 'Dockerfile'))
  if (!isFile(dockerfile)) {
    const hint = existsSync(dockerfile) ? `${dockerfile} is not a file` : `there is no file ${dockerfile}`
    if (file) read.wrong('file', file, `${hint}; give the path of the Dockerfile.`)
    else read.wrong('context', context, `${hint}; add a Dockerfile there or name it with file.`)
  }
  return { context: resolve(context), file: file === null ? null : dockerfile }
}

function readPlatform(read: Reader): string {
  const platform = read.text('platform')
  if (!/^linux\/(amd64|x86_64|x86-64)$/.test(platform)) {
    read.wrong('platform', platform, 'linux/amd64 is the only platform supported for now.')
  }
  return 'linux/amd64'
}

const isMachineNetwork = (text: string): text is MachineNetwork => NETWORKS.some(known => known === text)

function readMachineNetwork(read: Reader): MachineNetwork {
  const network = read.text('network')
  return isMachineNetwork(network) ? network : 'dhcp'
}

/**
 * In docker/build-push-action, `network` is that of the build. Its values (`host`, a network's name) are none of ours but for
 * `none`, so that a step that comes from there means what it meant.
 */
function readBuildNetwork(read: Reader): string | null {
  const [own, network] = [read.optional('build-network'), read.optional('network')]
  if (network === null || isMachineNetwork(network)) return own
  if (own !== null && own !== network)
    read.wrong('network', network, 'it has to be dhcp or none where build-network is given.')
  return network
}

/** A name that useradd(8) takes by default, which is one that every tool of a system can handle. */
function readUser(read: Reader): string | null {
  const user = read.optional('user')
  if (user !== null && !/^[a-z_][a-z0-9_-]{0,31}$/.test(user)) {
    read.wrong(
      'user',
      user,
      'it has to be at most 32 lower-case letters, digits, hyphens and underscores, beginning with a letter.'
    )
  }
  return user === 'root' ? null : user
}

/** A line of authorized_keys(5): options perhaps, a key type, the key in Base64, perhaps a comment. */
const AUTHORIZED_KEY =
  /^(?:[^#].*[\s,])?(?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-nistp\d+|sk-(?:ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com)(?:-cert-v01@openssh\.com)?\s+[A-Za-z0-9+/]{40,}={0,3}(?:\s.*)?$/

function readAuthorizedKeys(read: Reader): string[] {
  const lines = read
    .text('authorized-keys')
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '' && !line.startsWith('#'))
  for (const line of lines) {
    if (/PRIVATE KEY/.test(line)) {
      // Never the line itself: what stands there is secret.
      read.problems.push(
        'Input authorized-keys holds a private key; give the public one, the file that ends with .pub.'
      )
      break
    }
    if (!AUTHORIZED_KEY.test(line) || /[\u0000-\u0008\u000b-\u001f\u007f]/.test(line)) {
      read.wrong(
        'authorized-keys',
        line,
        'each line has to be a public key as in authorized_keys, such as "ssh-ed25519 AAAA… me@home".'
      )
    }
  }
  return lines
}

function readHostname(read: Reader): string | null {
  const hostname = read.optional('hostname')
  if (hostname !== null && !isHostname(hostname)) {
    read.wrong(
      'hostname',
      hostname,
      'it has to be at most 64 letters, digits, hyphens and dots, as in RFC 1123.'
    )
  }
  return hostname
}

/** Whether the text is a host name by RFC 1123 within Linux' limit of 64 characters. */
export const isHostname = (text: string): boolean =>
  text.length <= 64 &&
  text.split('.').every(label => /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(label))

function checkPassword(read: Reader, password: string | null): string | null {
  // The hashing program reads one line of at most 256 bytes and would cut the rest off silently.
  if (password !== null && (/[\u0000-\u001f\u007f]/.test(password) || Buffer.byteLength(password) > 255)) {
    read.problems.push(
      'Input root-password holds a control character or more than 255 bytes; give one line of text.'
    )
  }
  return password
}

function readKernelArgs(read: Reader): string {
  const args = read.text('kernel-args').split(/\s+/).join(' ')
  if (!/^[\x20-\x7e]*$/.test(args) || args.length > 1024) {
    read.wrong('kernel-args', args, 'it has to be at most 1024 printable ASCII characters.')
  }
  return args
}

function readName(read: Reader, env: NodeJS.ProcessEnv): string {
  const given = read.optional('name')
  if (given === null) {
    const own = env.GITHUB_REPOSITORY?.split('/').pop() || basename(process.cwd())
    return (
      own
        .replace(/[^\w.-]+/g, '-')
        .replace(/^[-.]+/, '')
        .slice(0, 100) || 'disk'
    )
  }
  // What file systems and the artifact service refuse, and what a program could take for an option.
  // What begins a workflow command would do so in log lines that are not written here.
  if (
    /[\u0000-\u001f\u007f-\u009f\u2028\u2029":<>|*?\\/]|^[-.]|##\[/.test(given) ||
    Buffer.byteLength(given) > 128
  ) {
    read.wrong(
      'name',
      given,
      'it has to be at most 128 bytes without any of " : < > | * ? \\ / ##[ and control characters, not beginning with - or a dot.'
    )
  }
  return given
}

function readFormats(read: Reader): Format[] {
  const words = read
    .text('formats')
    .split(/[\s,]+/)
    .filter(Boolean)
  const formats = new Map<string, Format>()
  const unknown: string[] = []
  for (const word of words) {
    const [container, compression, ...rest] = word.split('.')
    const format = {
      container: CONTAINERS.find(known => known === container),
      compression: compression === undefined ? null : COMPRESSIONS.find(known => known === compression)
    }
    if (format.container === undefined || format.compression === undefined || rest.length > 0)
      unknown.push(word)
    else formats.set(word, { container: format.container, compression: format.compression })
  }
  if (unknown.length > 0 || words.length === 0) {
    const allowed = `${CONTAINERS.join(', ')}, each also with .${COMPRESSIONS.join(', .')}`
    read.wrong('formats', unknown.join(', '), `each format has to be one of ${allowed}.`)
  }
  return [...formats.values()]
}

function readOutputDir(read: Reader): string | null {
  const folder = read.optional('output-dir')
  if (folder !== null && existsSync(folder) && !isFolder(folder)) {
    read.wrong('output-dir', folder, 'that exists and is not a folder.')
  }
  // The paths below it are lines of an output.
  if (folder !== null && /[\u0000-\u001f\u007f]/.test(folder))
    read.wrong('output-dir', folder, 'it has to be a path without control characters.')
  return folder === null ? null : resolve(folder)
}

function readBoot(read: Reader): BootInputs | null {
  const boot = {
    timeout: read.integer('boot-timeout', 1, 21_600, 'seconds'),
    successPattern: readPattern(read),
    memoryMiB: Math.floor(read.size('memory', 64 * MIB) / MIB),
    cpus: read.integer('cpus', 1, 64, 'processors'),
    accelerator: read.oneOf('accelerator', ACCELERATORS, 'auto'),
    expectations: readExpectations(read),
    diskBus: read.oneOf('disk-bus', ['auto', ...DISK_BUSES], 'auto'),
    networkCard: read.oneOf('network-card', ['auto', ...NETWORK_CARDS], 'auto'),
    matrix: readMatrix(read),
    scripts: readScripts(read),
    testTimeout: read.integer('test-timeout', 1, 21_600, 'seconds'),
    checkPersistence: read.boolean('check-persistence'),
    failOnFailedUnits: read.boolean('fail-on-failed-units'),
    maxSeconds: read.text('max-boot-seconds') ? read.integer('max-boot-seconds', 1, 21_600, 'seconds') : null
  }
  if (read.boolean('boot-test')) return boot
  const asked = BOOT_CHECKS.filter(name => read.text(name) !== '')
  if (boot.checkPersistence) asked.push('check-persistence')
  if (boot.failOnFailedUnits) asked.push('fail-on-failed-units')
  if (asked.length > 0)
    read.wrong('boot-test', read.text('boot-test'), `it has to be true for ${asked.join(', ')}.`)
  return null
}

/** Inputs that ask for more than a boot: without one they would seem to hold. */
const BOOT_CHECKS = [
  'boot-matrix',
  'expect-http',
  'expect-port',
  'test-script',
  'test-scripts',
  'max-boot-seconds'
]

/** Largest script that is put into the machine, in bytes. */
const LARGEST_SCRIPT = MIB

function readScripts(read: Reader): GuestScript[] {
  const inline = read.text('test-script')
  const paths = read.list('test-scripts').flatMap(pattern => {
    const found = globSync(pattern).filter(isFile).sort()
    if (found.length === 0)
      read.wrong('test-scripts', pattern, `it matches no file (looked in ${process.cwd()}).`)
    return found
  })
  const files = [...new Set(paths)].flatMap(path => {
    if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) <= LARGEST_SCRIPT)
      return [{ name: path, content: readFileSync(path) }]
    read.wrong('test-scripts', path, 'a script has at most 1 MiB; put larger files into the image.')
    return []
  })
  return [...(inline === '' ? [] : [{ name: 'test-script', content: `${inline}\n` }]), ...files]
}

function readMatrix(read: Reader): DiskBus[] {
  const text = read.text('boot-matrix')
  const words = [...new Set(text.split(/[\s,]+/).filter(Boolean))]
  const buses = DISK_BUSES.filter(bus => words.includes(bus))
  if (buses.length < words.length)
    read.wrong('boot-matrix', text, `each machine has to be one of ${DISK_BUSES.join(', ')}.`)
  else if (words.length > 0 && read.text('disk-bus') !== 'auto')
    read.wrong('boot-matrix', text, 'disk-bus names the one machine to boot: leave one of the two out.')
  return words.flatMap(word => buses.filter(bus => bus === word))
}

function readExpectations(read: Reader): Expectation[] {
  const ports = [...new Set(read.list('expect-port'))].flatMap((item): Expectation[] => {
    const port = parsePort(item)
    if (port !== null) return [{ kind: 'port', port }]
    read.wrong('expect-port', item, 'each line has to be a TCP port from 1 to 65535, such as 22.')
    return []
  })
  const answers = [...new Set(read.list('expect-http'))].flatMap((item): Expectation[] => {
    const expected = parseHttpExpectation(item)
    if (expected !== null) return [expected]
    read.wrong('expect-http', item, 'each line has to be PORT/PATH=STATUS, such as 8080/healthz=200.')
    return []
  })
  return [...ports, ...answers]
}

function readPattern(read: Reader): RegExp | null {
  const pattern = read.optional('boot-success-pattern')
  if (pattern === null) return null
  try {
    const expression = new RegExp(pattern)
    // Such a pattern would call any machine good before it has said a word.
    if (expression.test(''))
      read.wrong('boot-success-pattern', pattern, 'it matches an empty line; name what the line has to hold.')
    return expression
  } catch (error) {
    read.wrong('boot-success-pattern', pattern, `it is not a regular expression (${messageOf(error)}).`)
    return null
  }
}

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false
const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
