import { stripTerminal } from '../text.ts'

/** A check of an image and how it ended. */
export type TestCase = Readonly<{
  name: string
  /** What it ran on, such as `disk on virtio, network card virtio`. */
  machine: string
  seconds: number
  /** Why it failed, the first line in short; null if it did not. */
  failure: string | null
  /** What it printed. */
  output: string
}>

/** Text for XML 1.0, which has no place for control characters, halves of characters and two more. */
const xml = (text: string): string =>
  stripTerminal(text)
    .toWellFormed()
    .replace(/[\ufffe\uffff]/g, '')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')

/** The cases in the format of JUnit that readers of test results have in common; a suite for each machine. */
export function junitXml(name: string, cases: readonly TestCase[]): string {
  const counts = (some: readonly TestCase[]): string => {
    const failures = some.filter(({ failure }) => failure !== null).length
    const seconds = some.reduce((sum, each) => sum + each.seconds, 0)
    return `tests="${some.length}" failures="${failures}" errors="0" skipped="0" time="${seconds.toFixed(3)}"`
  }
  const suites = [...new Set(cases.map(({ machine }) => machine))].map(machine => {
    const own = cases.filter(each => each.machine === machine)
    const body = own.map(each => testCase(name, each)).join('\n')
    return `  <testsuite name="${xml(`${name}: ${machine}`)}" ${counts(own)}>\n${body}\n  </testsuite>`
  })
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="${xml(name)}" ${counts(cases)}>`,
    ...suites,
    '</testsuites>',
    ''
  ].join('\n')
}

function testCase(suite: string, { name, machine, seconds, failure, output }: TestCase): string {
  const attributes = `classname="${xml(`${suite}: ${machine}`)}" name="${xml(name)}" time="${seconds.toFixed(3)}"`
  const parts = [
    ...(failure === null
      ? []
      : [`      <failure message="${xml(failure.split('\n')[0] ?? '')}">${xml(failure)}</failure>`]),
    ...(output === '' ? [] : [`      <system-out>${xml(output)}</system-out>`])
  ]
  return parts.length === 0
    ? `    <testcase ${attributes}/>`
    : `    <testcase ${attributes}>\n${parts.join('\n')}\n    </testcase>`
}
