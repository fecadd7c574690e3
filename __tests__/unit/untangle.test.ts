import { untangle } from '../support/boot.ts'

test.each([
  ['whole lines', '[    1.000000] a\r\nwitness login: ', '[    1.000000] a\r\nwitness login: '],
  [
    'behind a prompt',
    'witness login: [   25.1] [   25.123456] x: y\r\n',
    '[   25.123456] x: y\r\nwitness login: [   25.1] '
  ],
  [
    'two in a prompt',
    '\r\nwitness lo[   25.123456] x: y\r\n[   25.200000][  T12] z\r\ngin: ',
    '\r\n[   25.123456] x: y\r\n[   25.200000][  T12] z\r\nwitness login: '
  ],
  ['an unfinished one', 'witness login: [   25.123456] x', 'witness login: [   25.123456] x']
])('kernel messages have lines of their own: %s', (_, console, expected) => {
  expect(untangle(console)).toBe(expected)
})
