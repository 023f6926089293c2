import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { createDb, createPool, type Db } from '../src/db/connect.ts'
import { startEmbeddedPostgres } from '../src/db/embedded.ts'
import { migrate } from '../src/db/migrate.ts'
import { createLog } from '../src/log.ts'

/** A Postgres of our own with our tables, for as long as `use` takes. */
export async function withDatabase(use: (db: Db) => Promise<void>): Promise<void> {
  const log = createLog({ level: 'error', readable: true })
  const directory = await mkdtemp(join(tmpdir(), 'livekit-replay-bench-'))
  await chmod(directory, 0o755)
  const postgres = await startEmbeddedPostgres(directory, log)
  const db = createDb(createPool(postgres.connectionString, log))
  try {
    await migrate(db, log)
    await use(db)
  } finally {
    await db.destroy()
    await postgres.stop()
    await rm(directory, { recursive: true, force: true })
  }
}

/** Rows of our own making need no foreign keys checked. */
export async function fill(db: Db, tables: string[], insert: (db: Db) => Promise<unknown>): Promise<void> {
  await db.connection().execute(async (one) => {
    await sql`set session_replication_role = replica`.execute(one)
    await insert(one)
    await sql`set session_replication_role = origin`.execute(one)
    for (const table of tables) await sql`vacuum analyze ${sql.raw(table)}`.execute(one)
  })
}
