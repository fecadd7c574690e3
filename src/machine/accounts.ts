/**
 * Entries of passwd(5), group(5), shadow(5) and gshadow(5): fields between colons, one entry a line, the first of a name
 * being the one that counts. Texts have one character a byte; what is not touched stays as it is.
 */

/** A user of passwd(5). */
export type Account = Readonly<{ name: string; uid: number; gid: number; home: string; shell: string }>

/** Fields of the first entry of that name, or null. */
export function findEntry(text: string | null, name: string): string[] | null {
  return (
    entries(text)
      .map(({ fields }) => fields)
      .find(([first]) => first === name) ?? null
  )
}

/** The user of that name, or null; ids that are no numbers are NaN. */
export function findAccount(passwd: string | null, name: string): Account | null {
  const fields = findEntry(passwd, name)
  if (fields === null) return null
  const [, , uid = '', gid = '', , home = '', shell = ''] = fields
  return { name, uid: readId(uid), gid: readId(gid), home, shell }
}

/** The text with an entry more: at its end, but before entries of NIS, which stand for all further users. */
export function addEntry(text: string | null, entry: string): string {
  const lines = (text ?? '').split('\n')
  const last = lines.at(-1) === '' ? lines.length - 1 : lines.length
  const nis = lines.findIndex(line => /^[+-]/.test(line))
  const at = nis < 0 ? last : nis
  const added = [...lines.slice(0, at), entry, ...lines.slice(at)]
  return added.at(-1) === '' ? added.join('\n') : `${added.join('\n')}\n`
}

/** The text with the first entry of that name changed. */
export function changeEntry(
  text: string,
  name: string,
  change: (fields: readonly string[]) => string[]
): string {
  const found = entries(text).find(({ fields: [first] }) => first === name)
  if (found === undefined) return text
  const lines = text.split('\n')
  lines[found.line] = `${change(found.fields).join(':')}${found.end}`
  return lines.join('\n')
}

/** The text of group(5) or gshadow(5), whose fourth field is a list of members, with the user in that group. */
export function addMember(text: string, group: string, user: string): string {
  return changeEntry(text, group, ([name = '', password = '', third = '', members = '']) => {
    const list = members.split(',').filter(Boolean)
    return [name, password, third, [...new Set([...list, user])].join(',')]
  })
}

/** The first number from 1000 on that is the id of no user and no group. */
export function freeId(passwd: string | null, group: string | null): number {
  const ids = (text: string | null, until: number): number[] =>
    entries(text).flatMap(({ fields }) => fields.slice(2, until).map(readId))
  const taken = new Set([...ids(passwd, 4), ...ids(group, 3)])
  let id = 1000
  while (taken.has(id)) id++
  return id
}

const readId = (text: string): number => (/^\d+$/.test(text) ? Number(text) : Number.NaN)

function entries(text: string | null): { line: number; fields: string[]; end: string }[] {
  return (text ?? '')
    .split('\n')
    .map((content, line) => {
      const end = content.endsWith('\r') ? '\r' : ''
      return { line, fields: content.slice(0, content.length - end.length).split(':'), end }
    })
    .filter(({ fields }) => fields.length > 2)
}
