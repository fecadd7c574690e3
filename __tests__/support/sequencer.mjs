import Sequencer from '@jest/test-sequencer'

/** The files that take longest. Started last, one of them would be waited for alone. */
const LONG = ['inits', 'bare', 'boot-check', 'images', 'failures', 'entrypoint', 'formats']

/** Jest's own order, by size or by the times of the last run, behind what is known to take long on a fresh machine too. */
export default class LongestFirst extends Sequencer {
  sort(tests) {
    const rank = ({ path }) =>
      LONG.findIndex(name => path.endsWith(`/e2e/${name}.test.ts`)) + 1 || LONG.length + 1
    return [...super.sort(tests)].sort((a, b) => rank(a) - rank(b))
  }
}
