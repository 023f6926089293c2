import { mkdtempSync, chmodSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { createDb, createPool } from '../../src/db/connect.ts'
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../src/db/embedded.ts'
import { migrate } from '../../src/db/migrate.ts'
import { migrateJobs } from '../../src/job/runner.ts'
import { silentLog } from './log.ts'

/*
 * One real Postgres for the whole run, and a database of its own for whoever asks,
 * cloned from a migrated template.
 */

const TEMPLATE = 'replay_template'
/** Processes that run test files find the one Postgres by it. */
const URL_VARIABLE = 'REPLAY_TEST_POSTGRES_URL'
let server: EmbeddedPostgres | undefined
let directory: string | undefined
let count = 0

export async function startTestPostgres(): Promise<void> {
  directory = mkdtempSync(join(tmpdir(), 'livekit-replay-test-'))
  chmodSync(directory, 0o755)
  server = await startEmbeddedPostgres(directory, silentLog)
  process.env[URL_VARIABLE] = server.connectionString
  await commitInMemory()
  await query(`create database ${TEMPLATE}`)
  const connectionString = urlOf(TEMPLATE)
  const pool = createPool(connectionString, silentLog)
  const db = createDb(pool)
  await migrate(db, silentLog)
  await migrateJobs({ pool, connectionString, log: silentLog })
  await db.destroy()
}

/** No test asks what is left when the machine fails, and hundreds of databases are made. */
async function commitInMemory(): Promise<void> {
  for (const setting of ['fsync', 'full_page_writes']) await query(`alter system set ${setting} = off`)
  await query('select pg_reload_conf()')
}

export async function stopTestPostgres(): Promise<void> {
  await server?.stop()
  if (directory) rmSync(directory, { recursive: true, force: true })
}

export interface TestDatabase {
  url: string
  drop(): Promise<void>
  /** Cuts every connection and refuses new ones, until allowed again: a database that is away. */
  cutOff(): Promise<void>
  allow(): Promise<void>
}

export async function createTestDatabase(): Promise<TestDatabase> {
  count += 1
  const name = `replay_test_${process.pid}_${count}`
  await query(`create database ${name} template ${TEMPLATE}`)
  const disconnect = `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`
  return {
    url: urlOf(name),
    drop: () => query(`drop database ${name} with (force)`),
    async cutOff() {
      await query(`alter database ${name} with allow_connections false`)
      await query(disconnect)
    },
    allow: () => query(`alter database ${name} with allow_connections true`),
  }
}

async function query(text: string): Promise<void> {
  const client = new pg.Client({ connectionString: urlOf('postgres') })
  await client.connect()
  try {
    await client.query(text)
  } finally {
    await client.end()
  }
}

function urlOf(name: string): string {
  const url = process.env[URL_VARIABLE]
  if (url === undefined) throw new Error('the test Postgres is not running')
  return url.replace(/\/postgres$/, `/${name}`)
}
