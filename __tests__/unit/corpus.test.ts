import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { CAUSES, type Reason } from '../../src/boot-check/causes.ts'
import { ConsoleLines, KERNEL_STAMP } from '../../src/boot-check/console.ts'
import { readEvent } from '../../src/boot-check/session.ts'
import { Judge, type Verdict } from '../../src/boot-check/verdict.ts'
import { RECIPES, type Recipe } from '../corpus/recipes.ts'
import { type Moment, type Recording, readRecording } from '../corpus/recording.ts'

/** Nothing of a recording is about how QEMU ends. */
const ENDED: Reason = { id: 'qemu-ended', summary: 'QEMU ended.', advice: '' }

const judgeFor = ({ header }: Recording, { asked, base }: Recipe): Judge =>
  new Judge({
    // Bases are named after what they are, and so are their machines.
    sign: { pattern: asked ?? null, hostname: base },
    timeout: { seconds: header.seconds, within: `boot-timeout (${header.seconds} seconds)` }
  })

const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1')

/**
 * Plays moments to a judge as they came, and lets time pass until there is a verdict.
 * @returns the verdict, and the second from power-on at which it was there
 */
function play(judge: Judge, moments: readonly Moment[]): { verdict: Verdict; knownAt: number } {
  let now = 0
  const passUntil = (at: number): void => {
    while (judge.verdict === null && judge.due !== null && judge.due <= at) {
      now = judge.due
      judge.tick(now)
    }
  }
  for (const [at, kind, what] of moments) {
    passUntil(at)
    if (judge.verdict !== null) break
    now = at
    if (kind === 'console') judge.hear(bytesOf(what), at)
    else if (kind === 'end') judge.notice({ kind: 'ended', reason: ENDED }, at)
    else {
      const event = readEvent(what.name, what.data)
      if (event !== null) judge.notice(event, at)
    }
  }
  passUntil(Number.POSITIVE_INFINITY)
  if (judge.verdict === null) throw new Error('There is no verdict.')
  return { verdict: judge.verdict, knownAt: now }
}

const isConsole = (moment: Moment): moment is Extract<Moment, readonly [number, 'console', string]> =>
  moment[1] === 'console'

const byteByByte = (moments: readonly Moment[]): Moment[] =>
  moments.flatMap((moment): Moment[] =>
    isConsole(moment) ? [...moment[2]].map(byte => [moment[0], 'console', byte]) : [moment]
  )

/** All that the console said at once, when it began to. */
function inOneChunk(moments: readonly Moment[]): Moment[] {
  const said = moments.filter(isConsole)
  const all = said.map(([, , text]) => text).join('')
  return [[said[0]?.[0] ?? 0, 'console', all], ...moments.filter(moment => !isConsole(moment))]
}

/** Each line of a program, once the kernel runs, with a message of the kernel in it. */
function withMessagesInLines(moments: readonly Moment[]): Moment[] {
  const said = moments.filter(isConsole)
  // A message may be cut into chunks itself: lines are taken from the whole, and keep the time of their first byte.
  const times = said.flatMap(([at, , text]) => Array<number>(text.length).fill(at))
  let place = 0
  let hasKernel = false
  const cut = said
    .map(([, , text]) => text)
    .join('')
    .split(/(?<=\n)/)
    .map((line, i): Moment => {
      const at = times[place] ?? 0
      place += line.length
      hasKernel ||= KERNEL_STAMP.test(line)
      const visible = line.replace(/[\r\n]+$/, '')
      if (!hasKernel || KERNEL_STAMP.test(line) || visible.length < 2) return [at, 'console', line]
      const middle = 1 + (i % (visible.length - 1))
      const message = `[  ${100 + (i % 800)}.${String(i).padStart(6, '0')}] random: crng init done\r\n`
      return [at, 'console', line.slice(0, middle) + message + line.slice(middle)]
    })
  return [...cut, ...moments.filter(moment => !isConsole(moment))].sort(([a], [b]) => a - b)
}

/** When a line, finished or not, first matches: seconds from power-on. */
function firstMatch(moments: readonly Moment[], pattern: RegExp): number | null {
  const lines = new ConsoleLines()
  for (const [at, kind, what] of moments)
    if (kind === 'console' && [...lines.write(bytesOf(what)), lines.partial].some(line => pattern.test(line)))
      return at
  return null
}

describe.each(RECIPES.map(recipe => [recipe.name, recipe] as const))('%s', (_, recipe) => {
  const recording = readRecording(recipe.name)
  const { moments } = recording
  const expected = { outcome: recipe.expected === 'success' ? 'success' : 'failure' }
  const reason = { id: recipe.expected, summary: expect.stringMatching(recipe.says ?? '') }
  const expectRight = (verdict: Verdict): void => {
    expect(verdict).toMatchObject(expected)
    if (verdict.outcome === 'failure') expect(verdict.reason).toMatchObject(reason)
  }

  test('as it came, within a second of the line that decides', () => {
    const { verdict, knownAt } = play(judgeFor(recording, recipe), moments)
    expectRight(verdict)
    if (recipe.decisive === undefined) return
    const decided = firstMatch(moments, recipe.decisive)
    expect(decided).not.toBeNull()
    expect(knownAt - (decided ?? 0)).toBeLessThanOrEqual(1)
  })

  test('byte by byte', () => {
    expectRight(play(judgeFor(recording, recipe), byteByByte(moments)).verdict)
  })

  if (recipe.expected === 'success') {
    test('cut off anywhere, it is not called bad', () => {
      const judge = judgeFor(recording, recipe)
      const calledBad: number[] = []
      const outcome = (): string | undefined => judge.verdict?.outcome
      for (const [at, kind, what] of byteByByte(moments)) {
        if (kind !== 'console' || outcome() !== undefined) continue
        judge.hear(bytesOf(what), at)
        // A failure that stands already would be told within two seconds.
        if (judge.due !== null && judge.due <= at + 2) judge.tick(judge.due)
        if (outcome() === 'failure') calledBad.push(at)
      }
      expect(calledBad).toEqual([])
      expect(judge.verdict).toMatchObject({ outcome: 'success' })
    })
  }

  if (recipe.expected === 'success') {
    test('what comes after it was up is no failure', () => {
      const { verdict } = play(judgeFor(recording, recipe), moments)
      const later = new Judge({ sign: { pattern: /(?!)/, hostname: null }, timeout: null, isUp: true })
      for (const [at, kind, what] of moments.filter(([at]) => at > verdict.at)) {
        if (kind === 'console') later.hear(bytesOf(what), at)
        later.tick(at + 2)
      }
      expect(later.verdict).toBeNull()
    })
  }

  test('in one chunk', () => {
    expectRight(play(judgeFor(recording, recipe), inOneChunk(moments)).verdict)
  })

  test('with messages of the kernel in the lines of programs', () => {
    expectRight(play(judgeFor(recording, recipe), withMessagesInLines(moments)).verdict)
  })
})

describe('the corpus', () => {
  test('has every recording that it speaks of, and none that nobody knows', () => {
    const recorded = readdirSync(join(import.meta.dirname, '../corpus/consoles'))
    expect(recorded.sort()).toEqual(RECIPES.map(({ name }) => `${name}.jsonl.gz`).sort())
    expect(recorded.length).toBeGreaterThanOrEqual(25)
  })

  test('has a recording of every cause but those that could not be brought about, and a cause for every recording', () => {
    for (const { id, recorded } of CAUSES) {
      for (const name of recorded)
        expect([name, RECIPES.find(recipe => recipe.name === name)?.expected]).toEqual([name, id])
    }
    const unrecorded = CAUSES.filter(({ recorded }) => recorded.length === 0).map(({ id }) => id)
    expect(unrecorded).toEqual(['out-of-memory', 'kernel-damaged', 'selinux-lockout', 'selinux-lockout'])
    const explained = CAUSES.flatMap(({ recorded }) => recorded)
    const others = RECIPES.filter(({ name }) => !explained.includes(name)).map(({ expected }) => expected)
    // What an event tells, what nothing tells, and what only time tells.
    expect([...new Set(others)].sort()).toEqual(
      [
        'success',
        'loader-broken',
        'panic',
        'reboot-loop',
        'shutdown',
        'silent-console',
        'selinux-lockout',
        'getty-missing',
        'timeout'
      ].sort()
    )
  })
})
