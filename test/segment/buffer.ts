import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql, type Insertable, type Updateable } from 'kysely'
import { v7 as uuidv7 } from 'uuid'
import { createDb, createPool, type Db } from '../../src/db/connect.ts'
import type { EgressSessionsTable, Segment } from '../../src/db/schema.ts'
import type { HourlyDeps } from '../../src/segment/care.ts'
import type { DiskDeps } from '../../src/segment/full-disk.ts'
import type { IndexDeps } from '../../src/segment/index-segments.ts'
import { landSegment } from '../../src/segment/land-segment.ts'
import type { Land } from '../../src/segment/lander.ts'
import { createTurns } from '../../src/segment/turns.ts'
import { startWatcher, type Watcher, type WatcherOptions } from '../../src/segment/watcher.ts'
import { createTestDatabase } from '../support/database.ts'
import { keepLog, silentLog, type LogLine } from '../support/log.ts'
import { landRecording, type RecordingName } from '../support/recording.ts'

/** A buffer path, its database, and whatever of the service is to look after them. */
export interface TestBuffer {
  db: Db
  databaseUrl: string
  bufferPath: string
  lines: LogLine[]
  deps: IndexDeps & HourlyDeps & DiskDeps
  /** What the service takes for now; moves only by hand when set. */
  clock: { now: Date | undefined }
  addSession(columns?: Updateable<EgressSessionsTable>): Promise<string>
  setSession(id: string, columns: Updateable<EgressSessionsTable>): Promise<void>
  directory(id: string): string
  files(id: string): Promise<string[]>
  rows(id: string): Promise<Segment[]>
  land(id: string, name: RecordingName, range?: { from?: number; to?: number }): Promise<void>
  watch(options?: Partial<WatcherOptions>): Promise<Watcher>
  /** Rows and their files, made up: segments of two seconds. */
  fill(id: string, count: number, options?: { bytes?: number; isMarked?: boolean }): Promise<void>
  /** A clip that needs these. */
  /** Of runs of segments, the last of each included. */
  pin(id: string, runs: [first: number, last: number][]): Promise<string>
  stop(): Promise<void>
}

/** When the recordings began, as their playlists have it; close enough to be a share's clock. */
export const RECORDED_AT = new Date('2026-11-22T17:01:44.600Z')

export async function startBuffer(path?: string): Promise<TestBuffer> {
  const database = await createTestDatabase()
  const db = createDb(createPool(database.url, silentLog))
  const bufferPath = path ?? (await mkdtemp(join(tmpdir(), 'livekit-replay-buffer-')))
  await mkdir(bufferPath, { recursive: true })
  const { log, lines } = keepLog()
  const clock: TestBuffer['clock'] = { now: undefined }
  const now = () => clock.now ?? new Date()
  const land: Land = (at, sessionId, closed) => landSegment({ bufferPath: at, sessionId }, closed)
  const deps: TestBuffer['deps'] = {
    db,
    now,
    log,
    bufferPath,
    node: 'here',
    turns: createTurns(4),
    land,
    storagePath: bufferPath,
    config: { cleanupBufferMs: 12 * 60_000, minFreeBytes: 0 },
    onAwaited: () => undefined,
    forget: () => undefined,
    egress: { listActive: async () => [] },
  }
  const watchers: Watcher[] = []
  const directory = (id: string) => join(bufferPath, id)
  return {
    db,
    databaseUrl: database.url,
    bufferPath,
    lines,
    deps,
    clock,
    directory,
    async addSession(columns = {}) {
      const id = uuidv7()
      await db
        .insertInto('egress_sessions')
        .values({ ...newSession(id), ...columns } as Insertable<EgressSessionsTable>)
        .execute()
      return id
    },
    async setSession(id, columns) {
      await db.updateTable('egress_sessions').set(columns).where('id', '=', id).execute()
    },
    files: async (id) => (await readdir(directory(id))).toSorted(),
    rows: (id) => db.selectFrom('segments').selectAll().where('session_id', '=', id).orderBy('sequence').execute(),
    land: (id, name, range) => landRecording(name, directory(id), range),
    fill: (id, count, options) => fill(db, directory(id), id, count, options),
    pin: (id, runs) => pin(db, id, runs),
    async watch(options = {}) {
      const watcher = await startWatcher(deps, { polling: false, ...options })
      watchers.push(watcher)
      return watcher
    },
    async stop() {
      await Promise.all(watchers.map((watcher) => watcher.stop()))
      await db.destroy()
      await database.drop()
      await rm(bufferPath, { recursive: true, force: true })
    },
  }
}

function newSession(id: string): Insertable<EgressSessionsTable> {
  return {
    id,
    room: 'stage',
    room_sid: null,
    user_id: id,
    participant_sid: null,
    username: null,
    video_track_sid: null,
    audio_track_sid: null,
    community_id: null,
    quality: '720p',
    egress_id: null,
    egress_type: 'participant',
    status: 'active',
    ended_reason: null,
    error: null,
    clock_origin: null,
    clock_source: null,
    requested_by: 'webhook',
    created_at: RECORDED_AT,
    started_at: RECORDED_AT,
    ended_at: null,
    share_ended_at: null,
    expires_at: null,
    purged_at: null,
    node: null,
  }
}

/** Playlists in egress's form, as they would be at some moment. */
export async function writePlaylists(
  directory: string,
  entries: { sequence: number; atMs: number; durationMs?: number }[],
): Promise<void> {
  const text = (some: typeof entries) =>
    [
      '#EXTM3U',
      '#EXT-X-TARGETDURATION:2',
      `#EXT-X-MEDIA-SEQUENCE:${some[0]?.sequence ?? 0}`,
      ...some.flatMap(({ sequence, atMs, durationMs = 2000 }) => [
        `#EXT-X-PROGRAM-DATE-TIME:${new Date(atMs).toISOString()}`,
        `#EXTINF:${(durationMs / 1000).toFixed(3)},`,
        `seg_${String(sequence).padStart(5, '0')}.ts`,
      ]),
      '',
    ].join('\n')
  await writeFile(join(directory, 'index.m3u8'), text(entries))
  await writeFile(join(directory, 'live.m3u8'), text(entries.slice(-5)))
}

async function fill(
  db: Db,
  directory: string,
  id: string,
  count: number,
  { bytes = 10, isMarked = false }: { bytes?: number; isMarked?: boolean } = {},
): Promise<void> {
  await mkdir(directory, { recursive: true })
  const rows = Array.from({ length: count }, (_, sequence) => ({
    session_id: id,
    sequence,
    start_ms: sequence * 2000,
    duration_ms: 2000,
    size_bytes: bytes,
    file_name: `seg_${String(sequence).padStart(5, '0')}.samples`,
    landed_at: RECORDED_AT,
    deleted_at: isMarked ? RECORDED_AT : null,
    unreadable: null,
  }))
  await Promise.all(rows.map((row) => writeFile(join(directory, row.file_name), Buffer.alloc(bytes))))
  await db.insertInto('segments').values(rows).execute()
  const frames = rows.map(({ session_id, sequence }) => ({ session_id, sequence, frame_index: Buffer.from('made up') }))
  if (!isMarked) await db.insertInto('segment_frames').values(frames).execute()
}

async function pin(db: Db, sessionId: string, runs: [first: number, last: number][]): Promise<string> {
  const id = uuidv7()
  const [from, to] = [RECORDED_AT, new Date(RECORDED_AT.getTime() + 1000)]
  await sql`
    insert into replay_clips (id, user_id, session_id, from_at, to_at, requested_from, requested_to, coverage, spans,
      status, pressed_at, reserved_bytes, created_at, size_bytes)
    values (${id}, 'alice', ${sessionId}, ${from}, ${to}, ${from}, ${to}, '{}', '[]', 'ready', ${to}, 0, ${to}, 10)
    `.execute(db)
  for (const [first_sequence, last_sequence] of runs)
    await db
      .insertInto('clip_segments')
      .values({ clip_id: id, session_id: sessionId, first_sequence, last_sequence })
      .execute()
  return id
}
