import { parseArgs } from 'node:util'
import { runChecks } from './check-data/run-checks.ts'
import { systemNow } from './clock.ts'
import { parseConfig, type Config } from './config.ts'
import { createDb, createPool } from './db/connect.ts'
import { findDatabase } from './db/find-database.ts'
import { ConfigError } from './errors.ts'
import { createLog, type Log } from './log.ts'

/*
 * `npm run check-data`: proves that rows, files and sums agree, beside a running service
 * or without one. Exit codes: 0 all is well, 1 something is not, 2 it could not be said.
 */

const { values } = parseArgs({
  options: { repair: { type: 'boolean', default: false }, force: { type: 'boolean', default: false } },
})

try {
  process.loadEnvFile()
} catch (error) {
  if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
}

try {
  const config = parseConfig(process.env)
  const log = createLog({ level: 'error', readable: process.stderr.isTTY })
  const left = await check(config, log)
  process.stdout.write(left === 0 ? 'all is well\n' : `${left} wrong\n`)
  process.exitCode = left === 0 ? 0 : 1
} catch (error) {
  const isExpected = error instanceof ConfigError
  process.stderr.write(`check-data could not look: ${error instanceof Error ? error.message : String(error)}\n`)
  if (!isExpected && error instanceof Error) process.stderr.write(`${error.stack}\n`)
  process.exitCode = 2
}

async function check(config: Config, log: Log): Promise<number> {
  const { connectionString, stop } = await findDatabase(config, log)
  const db = createDb(createPool(connectionString, log))
  try {
    const { bufferPath, storagePath, node } = config
    const say = (line: string) => process.stdout.write(`${line}\n`)
    return await runChecks({ db, now: systemNow, log, bufferPath, storagePath, node }, { ...values, say })
  } finally {
    await db.destroy()
    await stop()
  }
}
