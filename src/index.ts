import { main } from './main.ts'
import { post } from './post.ts'
import { savedRun } from './state.ts'

// One file for both runs: the runner hands the first one's state to the second.
const run = savedRun()
await (run === null ? main() : post(run))
