import { parseConfig } from '../src/config.ts'
import { createLog } from '../src/log.ts'
import { startService } from '../src/service.ts'

/** The service as `npm start` runs it, but for its clock, which whoever started it may step. */
let offsetMs = 0
const config = parseConfig(process.env)
const log = createLog({ ...config.logLevels, readable: false })
const service = await startService(config, { log, now: () => new Date(Date.now() + offsetMs) })

process.on('message', (message) => {
  if (typeof message === 'object' && message !== null && 'offsetMs' in message) offsetMs = Number(message.offsetMs)
  if (message === 'stop') void service.stop().then(() => process.disconnect())
})
// Nobody is left to stop it.
process.on('disconnect', () => void service.stop())
process.send?.('started')
