import { readdir } from 'node:fs/promises'
import { sql } from 'kysely'
import { Migrator, type Migration } from 'kysely/migration'
import type { Log } from '../log.ts'
import type { Db } from './connect.ts'

const FOLDER = new URL('../../migrations/', import.meta.url)

async function listNames(): Promise<string[]> {
  return (await readdir(FOLDER)).filter((name) => name.endsWith('.ts')).toSorted()
}

async function getMigrations(): Promise<Record<string, Migration>> {
  const names = await listNames()
  const loaded = await Promise.all(
    names.map(async (name) => [name.replace(/\.ts$/, ''), (await import(new URL(name, FOLDER).href)) as Migration]),
  )
  return Object.fromEntries(loaded) as Record<string, Migration>
}

/** Those that this version wants and the database has not. More than it wants are a newer version's. */
export async function findMissingMigrations(db: Db): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`select name from kysely_migration`.execute(db)
  const applied = new Set(rows.map(({ name }) => name))
  return (await listNames()).map((name) => name.replace(/\.ts$/, '')).filter((name) => !applied.has(name))
}

/**
 * Brings the tables up to date. Any number of instances may call it at once: kysely
 * holds an advisory lock meanwhile, so one migrates and the others find it done.
 */
export async function migrate(db: Db, log: Log): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations } })
  const { error, results } = await migrator.migrateToLatest()
  for (const { migrationName, status } of results ?? [])
    if (status === 'Success') log.info('migration applied', { migration: migrationName })
  if (error) throw error
}
