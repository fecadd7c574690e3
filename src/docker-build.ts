import type { BuildInputs } from './inputs.ts'

/** How images are built here: buildx, the BuildKit inside `docker build` of Docker before 23, or the legacy builder. */
export type Builder = 'buildx' | 'buildkit' | 'legacy'

/** What the legacy builder, and BuildKit without buildx, cannot do; the input's name and whether it is used. */
const NEEDS: readonly {
  input: string
  builders: readonly Builder[]
  used: (build: BuildInputs) => boolean
}[] = [
  { input: 'build-contexts', builders: ['buildx'], used: build => build.buildContexts.length > 0 },
  { input: 'cache-to', builders: ['buildx'], used: build => build.cacheTo.length > 0 },
  { input: 'builder', builders: ['buildx'], used: build => build.builder !== null },
  { input: 'secrets', builders: ['buildx', 'buildkit'], used: build => build.secrets.length > 0 },
  { input: 'ssh', builders: ['buildx', 'buildkit'], used: build => build.ssh.length > 0 }
]

/** Names of the inputs used that the builder cannot honour. */
export const unsupportedInputs = (build: BuildInputs, builder: Builder): string[] =>
  NEEDS.filter(({ builders, used }) => used(build) && !builders.includes(builder)).map(({ input }) => input)

/** A field of Docker's comma separated options, quoted as CSV where its text needs it. */
const csvField = (text: string): string => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)

/**
 * The command that builds the image.
 * @param iidFile where Docker writes the image's id
 * @param secretPath file that holds the secret of an id whose value was given inline
 */
export function buildArgv(
  build: BuildInputs,
  options: { builder: Builder; platform: string; iidFile: string; secretPath: (id: string) => string }
): string[] {
  const { builder, platform, iidFile, secretPath } = options
  const each = (flag: string, values: readonly string[]): string[] => values.flatMap(value => [flag, value])
  const one = (flag: string, value: string | null): string[] => (value === null ? [] : [flag, value])
  const secrets = build.secrets.map(secret => {
    const place = 'path' in secret ? secret.path : secretPath(secret.id)
    const fields =
      'variable' in secret
        ? [`id=${secret.id}`, `env=${secret.variable}`]
        : ['type=file', `id=${secret.id}`, `src=${place}`]
    return fields.map(csvField).join(',')
  })
  return [
    'docker',
    ...(builder === 'buildx' ? ['buildx', 'build', '--load'] : ['build']),
    // Without it the legacy builder leaves the container of a step that fails.
    ...(builder === 'legacy' ? ['--force-rm'] : ['--progress', 'plain']),
    // The legacy builder takes a platform only with experimental features on; without one it builds the engine's own.
    ...(builder === 'legacy' ? [] : ['--platform', platform]),
    ...['--iidfile', iidFile],
    ...one('--builder', build.builder),
    ...one('--file', build.file),
    ...one('--target', build.target),
    ...one('--network', build.network),
    ...(build.noCache ? ['--no-cache'] : []),
    ...(build.pull ? ['--pull'] : []),
    ...each('--build-arg', build.buildArgs),
    ...each('--build-context', build.buildContexts),
    ...each('--secret', secrets),
    ...each('--ssh', build.ssh),
    ...each('--label', build.labels),
    ...each('--add-host', build.addHosts),
    ...each('--cache-from', build.cacheFrom),
    ...each('--cache-to', build.cacheTo),
    // A context that begins with a hyphen was made an absolute path or is a URL: nothing after this is an option.
    '--',
    build.context
  ]
}
