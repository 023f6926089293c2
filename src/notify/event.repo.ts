import { sql } from 'kysely'
import type { Db, Trx } from '../db/connect.ts'
import type { Event } from '../db/schema.ts'

/** In the order in which they happened, which is that of their ids. */
export async function listEventsAfter(db: Db, id: number, limit: number): Promise<Event[]> {
  return db.selectFrom('events').selectAll().where('id', '>', id).orderBy('id').limit(limit).execute()
}

/** Of the last so many ms, by the database's clock: it is what dates events. */
export async function listRecentEventsAfter(db: Db, id: number, withinMs: number): Promise<Event[]> {
  return db.selectFrom('events').selectAll().where('id', '>', id).where(isRecent(withinMs)).orderBy('id').execute()
}

/** Whether nothing that happened after this event is older than so many ms, so that the recent ones are all. */
export async function findIsResumable(db: Db, id: number, withinMs: number): Promise<boolean> {
  const row = await db
    .selectFrom('events')
    .select(isRecent(withinMs).as('is_recent'))
    .where('id', '>', id)
    .orderBy('id')
    .limit(1)
    .executeTakeFirst()
  return row?.is_recent ?? true
}

const isRecent = (withinMs: number) =>
  sql<boolean>`created_at > now() - make_interval(secs => ${withinMs / 1000}::float8)`

export async function findEvent(db: Db, id: number): Promise<Event | undefined> {
  return db.selectFrom('events').selectAll().where('id', '=', id).executeTakeFirst()
}

/** 0 before anything happened. */
export async function findLastEventId(db: Db): Promise<number> {
  const row = await db.selectFrom('events').select('id').orderBy('id', 'desc').limit(1).executeTakeFirst()
  return row?.id ?? 0
}

/** Marks events as told, the oldest first, and gives those that nobody else is telling. */
export async function setEventsTold(trx: Trx, limit: number): Promise<Event[]> {
  const { rows } = await sql<Event>`
    update events set told_at = clock_timestamp() where id in (
      select id from events where told_at is null order by id limit ${limit} for update skip locked
    ) returning *`.execute(trx)
  return rows.toSorted((a, b) => a.id - b.id)
}

export async function deleteEventsOlderThan(db: Db, ageMs: number): Promise<number> {
  const { numDeletedRows } = await db
    .deleteFrom('events')
    .where(sql<boolean>`created_at < now() - make_interval(secs => ${ageMs / 1000}::float8)`)
    .executeTakeFirstOrThrow()
  return Number(numDeletedRows)
}
