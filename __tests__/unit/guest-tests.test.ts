import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse, type TestSuites } from 'junit2json'
import { GuestReader, hookEdits, initOf, persistenceScripts } from '../../src/boot-check/guest-tests.ts'
import { junitXml, type TestCase } from '../../src/boot-check/junit.ts'

const TOKEN = 'docker-to-disk-0123'

const textsOf = (init: string): Record<string, string> => {
  const { write, shutDown, read } = persistenceScripts(TOKEN)
  const scripts = [
    { name: 'test-script', content: 'exit 7\n' },
    { name: 'b', content: Buffer.from('#!/usr/bin/python3\nprint(1)\n') },
    write,
    shutDown,
    read
  ]
  const edits = hookEdits(scripts, TOKEN, init)
  expect(edits.every(edit => edit.path.startsWith('.docker-to-disk'))).toBe(true)
  return Object.fromEntries(
    edits.flatMap(edit =>
      edit.kind === 'file' && edit.mode === 0o755 ? [[edit.path, edit.content.toString()]] : []
    )
  )
}

test('what a copy of the disk gets', () => {
  const texts = textsOf("/sbin/it's; reboot")
  expect(texts['.docker-to-disk/init']).toContain(`exec '/sbin/it'\\''s; reboot' "$@"`)
  expect(texts['.docker-to-disk/run-1']).toBe('#!/bin/sh -e\nexit 7\n')
  expect(texts['.docker-to-disk/run-2']).toBe('#!/usr/bin/python3\nprint(1)\n')
  const folder = mkdtempSync(join(tmpdir(), 'guest-'))
  try {
    for (const text of Object.values(texts).filter(text => text.startsWith('#!/bin/sh'))) {
      writeFileSync(join(folder, 'script'), text)
      execFileSync('sh', ['-n', join(folder, 'script')])
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test.each([
  ['', '/sbin/init'],
  ['quiet init=/bin/own', '/bin/own'],
  ['init=/a panic=1 init=/b', '/b'],
  ['rdinit=/a xinit=/b', '/sbin/init']
])('with %j the init is %s', (kernelArgs, init) => {
  expect(initOf(kernelArgs, '/sbin/init')).toBe(init)
})

describe('what comes over the second serial port', () => {
  const text = [
    `${TOKEN} 1`, // an echo
    'noise',
    '',
    `${TOKEN} begin 1`,
    '\u001b[31mred\u001b[0m',
    '',
    `${TOKEN} end 9 0`,
    'no newline',
    `${TOKEN} end 1 7`,
    'more noise',
    '',
    `${TOKEN} begin 2`,
    '',
    `${TOKEN} end 2 0`,
    ''
  ].join('\r\n')

  test.each([1, 7, 10_000])('in chunks of %i bytes', size => {
    const reader = new GuestReader(TOKEN)
    const bytes = Buffer.from(text)
    const events = []
    for (let at = 0; at < bytes.length; at += size)
      events.push(...reader.write(bytes.subarray(at, at + size)))
    expect(events).toEqual([
      { kind: 'begin', number: 1 },
      { kind: 'line', text: 'red' },
      { kind: 'line', text: '' },
      { kind: 'line', text: `${TOKEN} end 9 0` },
      { kind: 'line', text: 'no newline' },
      { kind: 'end', number: 1, exitCode: 7 },
      { kind: 'begin', number: 2 },
      { kind: 'end', number: 2, exitCode: 0 }
    ])
  })
})

describe('results as JUnit XML', () => {
  const CASES: TestCase[] = [
    { name: 'boot', machine: 'disk on virtio', seconds: 9.5, failure: null, output: '' },
    {
      name: 'a <b> & "c"',
      machine: 'disk on virtio',
      seconds: 0.25,
      failure: 'first ]]>\nsecond',
      output: 'x\u0000\u001b[31m\uffff\ud800<\n'
    },
    { name: 'boot', machine: 'disk on sata', seconds: 20, failure: null, output: '' }
  ]

  test('cases of each machine, with failures and output', () => {
    expect(junitXml('my <image>', CASES)).toBe(`<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="my &lt;image&gt;" tests="3" failures="1" errors="0" skipped="0" time="29.750">
  <testsuite name="my &lt;image&gt;: disk on virtio" tests="2" failures="1" errors="0" skipped="0" time="9.750">
    <testcase classname="my &lt;image&gt;: disk on virtio" name="boot" time="9.500"/>
    <testcase classname="my &lt;image&gt;: disk on virtio" name="a &lt;b&gt; &amp; &quot;c&quot;" time="0.250">
      <failure message="first ]]&gt;">first ]]&gt;
second</failure>
      <system-out>x\ufffd&lt;
</system-out>
    </testcase>
  </testsuite>
  <testsuite name="my &lt;image&gt;: disk on sata" tests="1" failures="0" errors="0" skipped="0" time="20.000">
    <testcase classname="my &lt;image&gt;: disk on sata" name="boot" time="20.000"/>
  </testsuite>
</testsuites>
`)
  })

  test('are read by others as what they are', async () => {
    const { testsuite, ...all } = (await parse(junitXml('my <image>', CASES))) as TestSuites
    expect(all).toMatchObject({ name: 'my <image>', tests: 3, failures: 1, time: 29.75 })
    expect(
      testsuite?.map(suite => ({
        name: suite.name,
        cases: suite.testcase?.map(each => [each.name, each.time, each.failure?.[0]?.inner])
      }))
    ).toEqual([
      {
        name: 'my <image>: disk on virtio',
        cases: [
          ['boot', 9.5, undefined],
          ['a <b> & "c"', 0.25, 'first ]]>\nsecond']
        ]
      },
      { name: 'my <image>: disk on sata', cases: [['boot', 20, undefined]] }
    ])
  })
})
