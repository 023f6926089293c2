import { Kysely, type Transaction } from 'kysely'
import pg from 'pg'
import { errorFields, type Log } from '../log.ts'
import { PromptDialect } from './prompt-dialect.ts'
import type { Schema } from './schema.ts'

export type Db = Kysely<Schema>
export type Trx = Transaction<Schema>

const { getTypeParser } = pg.types
const INT8: number = pg.types.builtins.INT8

/** 64-bit integers as numbers: every count and size here is far below 2^53. */
const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text') =>
    oid === INT8 ? Number : getTypeParser(oid, format)) as pg.CustomTypesConfig['getTypeParser'],
}

/** A new connection has no caches and no plans: the first press on it takes twice as long (measured). */
const KEEP_IDLE_MS = 600_000

/** One pool a process, shared by queries and jobs; a broken idle connection is replaced by the next query. */
export function createPool(connectionString: string, log: Log): pg.Pool {
  const pool = new pg.Pool({
    connectionString,
    types,
    pipeline: true,
    max: 20,
    connectionTimeoutMillis: 5000,
    idleTimeoutMillis: KEEP_IDLE_MS,
  })
  pool.on('error', (error) => log.warn('database connection lost', { error: error.message }))
  pool.on('connect', (client) => {
    // Without a listener, an error on a connection that is in use would end the process.
    client.on('error', (error) => log.debug('database connection broke', errorFields(error)))
  })
  return pool
}

export function createDb(pool: pg.Pool): Db {
  return new Kysely<Schema>({ dialect: new PromptDialect({ pool }) })
}

/** Classes 08 (connection) and 57P (shutdown) of the Postgres error codes, a database that takes no connections, and what the socket says before there is a code. */
export function isDatabaseAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (error instanceof AggregateError && error.errors.some(isDatabaseAway)) return true
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (/^(08|57P|53300|55000)/.test(code)) return true
  if (['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ENOTFOUND', 'ETIMEDOUT', 'ENOENT'].includes(code))
    return 'syscall' in error && error.syscall !== 'open'
  // node-postgres gives these no code of their own.
  return /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error)/.test(
    error.message,
  )
}
