import { sql, type Insertable, type RawBuilder, type Updateable } from 'kysely'
import type { Db, Trx } from '../db/connect.ts'
import type { Clip, ReplayClipsTable, StoredFile } from '../db/schema.ts'
import { takingRoom } from './quota.ts'

/** A clip with its file, once it has one. */
export interface ClipWithFile extends Clip {
  sha256: string | null
  file_path: string | null
  room: string
}

const withFile = (db: Db) =>
  db
    .selectFrom('replay_clips')
    .innerJoin('egress_sessions', 'egress_sessions.id', 'replay_clips.session_id')
    .leftJoin('files', 'files.id', 'replay_clips.file_id')
    .selectAll('replay_clips')
    .select(['files.sha256', 'files.path as file_path', 'egress_sessions.room'])

export async function findClip(db: Db, id: string): Promise<ClipWithFile | undefined> {
  return withFile(db).where('replay_clips.id', '=', id).executeTakeFirst()
}

export async function findClipByKey(db: Db, userId: string, key: string): Promise<ClipWithFile | undefined> {
  return withFile(db).where('replay_clips.user_id', '=', userId).where('idempotency_key', '=', key).executeTakeFirst()
}

export interface ClipQuery {
  userId: string
  communityId: string | undefined
  /** A part of the title, whatever its case. */
  title: string | undefined
  limit: number
  offset: number
  /** The last clip of the page before. */
  after: { created_at: Date; id: string } | undefined
}

/** Newest first, how many there are in all, and whether there are more after these. */
export async function listClips(
  db: Db,
  { limit, offset, after, ...wanted }: ClipQuery,
): Promise<{ clips: ClipWithFile[]; total: number; hasMore: boolean }> {
  const found = await withFile(db)
    .where(isWanted(wanted))
    .$if(after !== undefined, (qb) =>
      qb.where(
        sql<boolean>`(replay_clips.created_at, replay_clips.id) < (${after?.created_at}::timestamptz, ${after?.id}::uuid)`,
      ),
    )
    .orderBy('replay_clips.created_at', 'desc')
    .orderBy('replay_clips.id', 'desc')
    .limit(limit + 1)
    .offset(offset)
    .execute()
  const { total } = await db
    .selectFrom('replay_clips')
    .select((eb) => eb.fn.countAll<number>().as('total'))
    .where(isWanted(wanted))
    .executeTakeFirstOrThrow()
  return { clips: found.slice(0, limit), total, hasMore: found.length > limit }
}

/**
 * `replay_clips_by_user` finds a user's clips; of these few the titles are looked through.
 * ICU, which every packaged Postgres has, knows capitals whatever the database's locale.
 */
function isWanted({ userId, communityId, title }: Pick<ClipQuery, 'userId' | 'communityId' | 'title'>) {
  return sql<boolean>`replay_clips.user_id = ${userId}
    and (${communityId ?? null}::text is null or replay_clips.community_id = ${communityId ?? null})
    and (${title ?? null}::text is null or replay_clips.title collate "und-x-icu" ilike ${`%${escapeLike(title ?? '')}%`})`
}

/** What means something to LIKE means itself. */
const escapeLike = (text: string) => text.replaceAll(/[\\%_]/g, String.raw`\$&`)

export async function listWaitingClips(db: Db, sessionId: string): Promise<string[]> {
  const rows = await db
    .selectFrom('replay_clips')
    .innerJoin('clip_sessions', 'clip_sessions.clip_id', 'replay_clips.id')
    .select('id')
    .where('clip_sessions.session_id', '=', sessionId)
    .where('status', '=', 'waiting')
    .execute()
  return rows.map((row) => row.id)
}

export async function lockClip(trx: Trx, id: string): Promise<Clip | undefined> {
  return trx.selectFrom('replay_clips').selectAll().where('id', '=', id).forUpdate().executeTakeFirst()
}

/** A clip to record, with what comes with it. */
export interface NewClip {
  clip: Insertable<ReplayClipsTable>
  /** Those that it takes from, or may still take from while it waits. */
  sessionIds: string[]
  pins: Pin[]
  /** As `addJobs` gives them. */
  jobs: RawBuilder<unknown>
  /** Its owner's limit, if they have none of their own. */
  quotaBytes: number
}

/**
 * Records a clip, its sessions, pins and jobs, reserves its bytes, if there is room, and tells whoever waits, in one
 * statement: round trips are most of what a press takes. Undefined, and nothing done, when the owner already has a clip
 * with this idempotency key.
 */
export async function recordClip(
  trx: Trx,
  { clip, sessionIds, pins, jobs, quotaBytes }: NewClip,
): Promise<{ clip: Clip; hasRoom: boolean } | undefined> {
  const row = await trx
    .with('clip', (db) =>
      db
        .insertInto('replay_clips')
        .values(clip)
        .onConflict((oc) => oc.columns(['user_id', 'idempotency_key']).doNothing())
        .returningAll(),
    )
    .with('sessions', (db) =>
      db
        .insertInto('clip_sessions')
        .columns(['clip_id', 'session_id'])
        .expression((eb) => eb.selectFrom('clip').select(['id', unnest(sessionIds, 'uuid').as('session_id')])),
    )
    .with('pins', (db) =>
      db
        .insertInto('clip_segments')
        .columns(['clip_id', 'session_id', 'first_sequence', 'last_sequence'])
        .expression((eb) => eb.selectFrom('clip').select(['id', ...pinColumns(pins)])),
    )
    .with('room', () => {
      const ifNew = sql`exists (select from clip)`
      return sql<{ user_id: string }>`(${takingRoom(clip.user_id, clip.reserved_bytes, quotaBytes, ifNew)})`
    })
    .selectFrom('clip')
    .selectAll()
    .select([jobs.as('jobs'), notifyClip(clip.id).as('told')])
    .select(sql<boolean>`exists (select from room)`.as('has_room'))
    .executeTakeFirst()
  if (!row) return undefined
  const { jobs: _jobs, told: _told, has_room: hasRoom, ...recorded } = row
  return { clip: recorded, hasRoom }
}

/** A row for each value; several of the same length go in step. */
const unnest = <T extends string | number>(values: T[], type: 'uuid' | 'integer') =>
  sql<T>`unnest(${values}::${sql.raw(type)}[])`

const pinColumns = (pins: Pin[]) => [
  unnest(
    pins.map((pin) => pin.sessionId),
    'uuid',
  ).as('session_id'),
  unnest(
    pins.map((pin) => pin.first),
    'integer',
  ).as('first_sequence'),
  unnest(
    pins.map((pin) => pin.last),
    'integer',
  ).as('last_sequence'),
]

/** Changes a clip and tells whoever waits for it. */
export async function setClip(trx: Trx, id: string, change: Updateable<ReplayClipsTable>): Promise<void> {
  await trx.updateTable('replay_clips').set(change).where('id', '=', id).execute()
  await tellClip(trx, id)
}

/** Wakes whoever waits for a clip, once the transaction is committed. */
async function tellClip(trx: Trx, id: string): Promise<void> {
  await sql`select ${notifyClip(id)}`.execute(trx)
}

const notifyClip = (id: string) => sql`pg_notify('clip_changed', ${id})`

export async function listClipSessions(db: Db, clipId: string): Promise<string[]> {
  const rows = await db
    .selectFrom('clip_sessions')
    .innerJoin('egress_sessions', 'egress_sessions.id', 'clip_sessions.session_id')
    .select('session_id')
    .where('clip_id', '=', clipId)
    .orderBy('egress_sessions.created_at')
    .execute()
  return rows.map((row) => row.session_id)
}

/** The file of another clip that shows the same, if one is at rest. */
export async function findTwinFile(db: Db, contentKey: string): Promise<StoredFile | undefined> {
  return db
    .selectFrom('replay_clips')
    .innerJoin('files', 'files.id', 'replay_clips.file_id')
    .selectAll('files')
    .where('content_key', '=', contentKey)
    .limit(1)
    .executeTakeFirst()
}

/** A run of a session's segments, the last one included. */
export interface Pin {
  sessionId: string
  first: number
  last: number
}

/** The segments that are kept from being deleted while the clip needs them: these now, and among them all that it needed before. */
export async function setPins(trx: Trx, clipId: string, pins: Pin[]): Promise<void> {
  await deletePins(trx, clipId)
  if (pins.length === 0) return
  const rows = pins.map(({ sessionId, first, last }) => ({
    clip_id: clipId,
    session_id: sessionId,
    first_sequence: first,
    last_sequence: last,
  }))
  await trx.insertInto('clip_segments').values(rows).execute()
}

export async function deletePins(trx: Trx, clipId: string): Promise<void> {
  await trx.deleteFrom('clip_segments').where('clip_id', '=', clipId).execute()
}

export async function recordFile(trx: Trx, file: StoredFile): Promise<void> {
  await trx.insertInto('files').values(file).execute()
}

/** Deletes a clip with its pins, and its file's row if it has one. */
export async function deleteClipRows(trx: Trx, clip: Pick<Clip, 'id' | 'file_id'>): Promise<void> {
  if (clip.file_id) await trx.deleteFrom('files').where('id', '=', clip.file_id).execute()
  await trx.deleteFrom('replay_clips').where('id', '=', clip.id).execute()
  await tellClip(trx, clip.id)
}
