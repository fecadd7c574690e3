import { main } from './main.ts'
import { post } from './post.ts'
import { beginState, savedState } from './state.ts'

// One file for both runs: the runner hands the first one's state to the second.
const state = savedState()
if (state === null) {
  beginState()
  await main()
} else await post(state)
// An upload or a download that was given up may hold its connection open for minutes.
process.exit()
