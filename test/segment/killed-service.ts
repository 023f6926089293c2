import { parseConfig } from '../../src/config.ts'
import { startService } from '../../src/service.ts'
import { silentLog } from '../support/log.ts'

/** A service that is killed when it comes to a step for the n-th time, both told by the test that starts it. */
const { KILL_AT, KILL_COUNT } = process.env
let left = Number(KILL_COUNT)

await startService(parseConfig(process.env), {
  log: silentLog,
  reached: (step) => {
    if (step !== KILL_AT) return
    left -= 1
    // Nothing runs after this, no `finally` and no handler.
    if (left === 0) process.kill(process.pid, 'SIGKILL')
  },
})
