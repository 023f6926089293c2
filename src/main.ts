import { parseConfig } from './config.ts'
import { AppError, ConfigError } from './errors.ts'
import { createLog, errorFields, type Log } from './log.ts'
import { startService } from './service.ts'

/** Exit codes: 0 stopped, 1 could not start or failed, 2 settings are wrong, 130 forced by a second signal. */
try {
  process.loadEnvFile()
} catch (error) {
  if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
}

try {
  const config = parseConfig(process.env)
  const log = createLog({ ...config.logLevels, readable: process.stderr.isTTY })
  await run(config, log)
} catch (error) {
  if (!(error instanceof ConfigError)) throw error
  process.stderr.write(`livekit-replay cannot start with these settings:\n\n${error.message}\n\nSee README.md.\n`)
  process.exitCode = 2
}

async function run(config: ReturnType<typeof parseConfig>, log: Log): Promise<void> {
  const starting = startService(config, { log })
  // Who is told to stop while it starts, stops when it has started: half a start leaves things behind.
  stopOnSignals(log, async () => (await starting).stop())
  try {
    const service = await starting
    service.watchProcess()
    log.info('livekit-replay started', { url: service.url, webhook: `${service.url}/webhooks/livekit` })
    await service.rehearse().catch((error: unknown) => log.warn('not rehearsed', errorFields(error)))
  } catch (error) {
    if (error instanceof AppError) log.error(error.message, { code: error.code })
    else log.error('livekit-replay could not start', errorFields(error))
    process.exitCode = 1
  }
}

/** What a phase left behind when it was cut off must not keep the process. */
const LEFT_OVER_MS = 500

function stopOnSignals(log: Log, stop: () => Promise<void>): void {
  let stopping = false
  const end = async (): Promise<void> => {
    // What kept it from starting was said already.
    await stop().catch(() => undefined)
    log.info('stopped')
    setTimeout(() => process.exit(), LEFT_OVER_MS).unref()
  }
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stopping) process.exit(130)
    stopping = true
    log.info('stopping', { signal })
    void end()
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
}
