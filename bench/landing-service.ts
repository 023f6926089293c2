import { monitorEventLoopDelay } from 'node:perf_hooks'
import { parseConfig } from '../src/config.ts'
import { createLog } from '../src/log.ts'
import { startService } from '../src/service.ts'

/** The service under load, in a process of its own, which tells its parent how its event loop fares. */
const config = parseConfig(process.env)
const service = await startService(config, { log: createLog({ level: 'error', readable: true }) })
await service.rehearse()
const delay = monitorEventLoopDelay({ resolution: 1 })

process.on('message', (message) => {
  if (message === 'begin') {
    delay.reset()
    delay.enable()
  }
  if (message === 'report') process.send?.({ delayP99Ms: delay.percentile(99) / 1e6, delayMaxMs: delay.max / 1e6 })
  if (message === 'stop') void service.stop().then(() => process.disconnect())
})
process.send?.('started')
