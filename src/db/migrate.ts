import { readdir } from 'node:fs/promises'
import { Migrator, type Migration } from 'kysely/migration'
import type { Log } from '../log.ts'
import type { Db } from './connect.ts'

const FOLDER = new URL('../../migrations/', import.meta.url)

async function getMigrations(): Promise<Record<string, Migration>> {
  const names = (await readdir(FOLDER)).filter((name) => name.endsWith('.ts')).toSorted()
  const loaded = await Promise.all(
    names.map(async (name) => [name.replace(/\.ts$/, ''), (await import(new URL(name, FOLDER).href)) as Migration]),
  )
  return Object.fromEntries(loaded) as Record<string, Migration>
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
