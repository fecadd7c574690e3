import {
  compareVersions,
  formatBytes,
  formatSeconds,
  inert,
  markdownCell,
  parseSize,
  quoteArgv,
  stripTerminal
} from '../../src/text.ts'

test.each([
  ['1500M', 1500 * 1024 ** 2],
  ['2G', 2 * 1024 ** 3],
  ['2GiB', 2 * 1024 ** 3],
  ['2GB', 2e9],
  ['1.5G', 1.5 * 1024 ** 3],
  ['512 MiB', 512 * 1024 ** 2],
  ['0M', 0],
  ['64k', 65_536],
  ['1T', 1024 ** 4],
  ['', null],
  ['2', null],
  ['G', null],
  ['-1G', null],
  ['1e3M', null],
  ['1 G B', null],
  ['2PB', null],
  ['9999999999999G', null]
])('size %j is %s bytes', (text, bytes) => {
  expect(parseSize(text)).toBe(bytes)
})

test.each([
  [0, '0 bytes'],
  [1023, '1023 bytes'],
  [1536, '1.5 KiB'],
  [850 * 1024 ** 2, '850 MiB'],
  [1.25 * 1024 ** 3, '1.3 GiB']
])('%i bytes read %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text)
})

test.each([
  [0.04, '0.0 s'],
  [59.94, '59.9 s'],
  [125.4, '2 min 5 s']
])('%f seconds read %s', (seconds, text) => {
  expect(formatSeconds(seconds)).toBe(text)
})

test('versions sort as sort -V does', () => {
  const sorted = [
    '5.10.0-9-amd64',
    '6.1.0-9-amd64',
    '6.1.0-28-amd64',
    '6.1.0-28-cloud-amd64',
    '6.8.0~rc1',
    '6.8.0',
    '6.8.0-1',
    '6.10.3-arch1'
  ]
  expect([...sorted].reverse().sort(compareVersions)).toEqual(sorted)
  expect(compareVersions('virt', 'virt')).toBe(0)
})

test.each([
  ['::set-output name=a::b', '\u200b::set-output name=a::b'],
  ['  ::stop-commands::x', '  \u200b::stop-commands::x'],
  ['fine ::error:: inside', 'fine ::error:: inside'],
  ['a ##[add-mask]b', 'a #\u200b#[add-mask]b'],
  ['\u001b[31m::warning::x\u001b[0m', '\u200b::warning::x'],
  ['a\rb', 'ab']
])('%j is printed without effect', (line, printed) => {
  expect(inert(line).replace(':\u200b:', '\u200b::')).toBe(printed)
})

test('no foreign line begins a workflow command', () => {
  for (const line of ['::x::', ' \t::x::', '\u001b[1m::x', '\u0000::x', '##[x]', '\u0007##[group]']) {
    expect(inert(line).trim()).not.toMatch(/^::|##\[/)
  }
})

test.each([
  ['\u001b[0;1;31mred\u001b[0m', 'red'],
  ['\u001b]0;title\u0007text', 'text'],
  ['\u001b(Btext\u001b=', 'text'],
  ['tab\tstays', 'tab\tstays']
])('escape sequences leave %j', (text, plain) => {
  expect(stripTerminal(text)).toBe(plain)
})

test('an argv is shown as a shell would read it', () => {
  expect(quoteArgv(['dd', 'if=a b', "it's", '', '$(x)'])).toBe(`dd 'if=a b' 'it'\\''s' '' '$(x)'`)
})

test('Markdown in a value is text', () => {
  expect(markdownCell('a|b\n`c` [d](e) <f>')).toBe('a\\|b \\`c\\` \\[d\\](e) \\<f\\>')
})
