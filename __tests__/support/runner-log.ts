export type Annotation = Readonly<{ level: 'error' | 'warning' | 'notice'; title: string; message: string }>

const SHOWN = new Set(['error', 'warning', 'notice', 'group', 'endgroup'])
/** Without debug logging switched on, `debug` is one of them. */
const SILENT = new Set([
  'set-output',
  'save-state',
  'add-mask',
  'stop-commands',
  'echo',
  'add-matcher',
  'remove-matcher',
  'debug'
])

/** What a runner makes of a step's output: workflow commands obeyed, secrets masked. */
export class RunnerLog {
  readonly annotations: Annotation[] = []
  /** Set by commands in the log: deprecated, and obeyed all the same. */
  readonly outputs: Record<string, string> = {}
  readonly state: Record<string, string> = {}
  readonly #raw: string[] = []
  readonly #shown: string[] = []
  readonly #masks: Set<string>
  #resumeToken: string | undefined

  /** `masks` outlive the step: a runner keeps them for the job. */
  constructor(masks: Set<string>) {
    this.#masks = masks
  }

  get raw(): string {
    return this.#raw.join('\n')
  }

  /** The log as people see it. */
  get shown(): string {
    return this.#shown.join('\n')
  }

  /** Takes a line of output; returns the one to show, if any. */
  add(line: string): string | undefined {
    this.#raw.push(line)
    const shown = this.#interpret(line)
    if (shown === undefined) return undefined
    const masked = this.#mask(shown)
    this.#shown.push(masked)
    return masked
  }

  #interpret(line: string): string | undefined {
    // What .NET takes for white space, and the older syntax, which may stand anywhere in a line.
    const [, command = '', properties = '', data = ''] =
      /^[\s\u0085]*::([\w-]+)(?: (.*?))?::(.*)$/.exec(line) ??
      /##\[([\w-]+)(?: ([^\]]*))?\](.*)$/.exec(line) ??
      []
    if (this.#resumeToken !== undefined) {
      if (command !== this.#resumeToken) return line
      this.#resumeToken = undefined
      return undefined
    }
    const message = unescapeData(data)
    if (command === 'add-mask') this.#addMask(message)
    if (command === 'stop-commands') this.#resumeToken = message
    if (command === 'error' || command === 'warning' || command === 'notice') {
      const title = unescapeProperty(/(?:^|,)title=([^,]*)/.exec(properties)?.[1] ?? '')
      this.annotations.push({ level: command, title: this.#mask(title), message: this.#mask(message) })
    }
    if (command === 'set-output' || command === 'save-state') {
      const name = unescapeProperty(/(?:^|[,;])name=([^,;]*)/.exec(properties)?.[1] ?? '')
      const values = command === 'set-output' ? this.outputs : this.state
      values[name] = message
    }
    if (SILENT.has(command)) return undefined
    return SHOWN.has(command) ? `##[${command}]${message}` : line
  }

  #addMask(value: string): void {
    for (const part of [value, ...value.split(/\r?\n/)]) if (part.trim()) this.#masks.add(part)
  }

  #mask(text: string): string {
    const longestFirst = [...this.#masks].sort((a, b) => b.length - a.length)
    return longestFirst.reduce((masked, secret) => masked.replaceAll(secret, '***'), text)
  }
}

// The per cent sign last, or what was escaped twice would be unescaped twice.
const unescapeData = (data: string): string =>
  data.replaceAll('%0D', '\r').replaceAll('%0A', '\n').replaceAll('%25', '%')

const unescapeProperty = (property: string): string =>
  unescapeData(property.replaceAll('%3A', ':').replaceAll('%2C', ','))

/** Reads a file of GITHUB_OUTPUT's kind: `name=value` lines and `name<<DELIMITER` blocks. */
export function parseFileCommand(text: string): Record<string, string> {
  const values: Record<string, string> = {}
  const lines = text.split('\n')
  while (lines.length > 0) {
    const line = lines.shift() ?? ''
    if (line === '') continue
    const [, name = '', operator, rest = ''] = /^(.*?)(=|<<)(.*)$/.exec(line) ?? []
    if (operator === undefined) throw new Error(`Invalid format '${line}'`)
    if (operator === '=') values[name] = rest
    else {
      const end = lines.indexOf(rest)
      if (end < 0) throw new Error(`Invalid value. Matching delimiter not found '${rest}'`)
      values[name] = lines
        .splice(0, end + 1)
        .slice(0, -1)
        .join('\n')
    }
  }
  return values
}
