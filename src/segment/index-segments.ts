import { readFile } from 'node:fs/promises'
import type { Now } from '../clock.ts'
import type { Db } from '../db/connect.ts'
import type { Session } from '../db/schema.ts'
import type { Log } from '../log.ts'
import { findSession, lockSession, setSession } from '../session/session.repo.ts'
import { bufferPathOf } from './buffer-path.ts'
import { absent, landSegment, unlinkSource } from './land-segment.ts'
import { parsePlaylist, type PlaylistEntry } from './playlist.ts'
import { listSequences, recordSegments, type LandedSegment } from './segment.repo.ts'

/*
 * The index of a session's buffer.
 * - Playlists say what is complete; a file that none names is not looked at.
 * - Watcher and sweep call this one function: a hint lost costs time, a hint repeated nothing.
 * - A row is written after its sample file has its final name, and before the `.ts` goes.
 */

export interface IndexDeps {
  db: Db
  now: Now
  log: Log
  bufferPath: string
  node: string
  /** Told after each commit that new segments of this session are in the index. */
  onLanded: (sessionId: string) => void
}

/** What is remembered of a session between two looks, so that most looks ask the database nothing. */
export interface IndexMemory {
  landed: Set<number>
  /** Program date time of media time 0, in ms. */
  origin: number | undefined
}

/** How much later than the picture egress's PROGRAM-DATE-TIME is, as far as can be said before `startedAt` is known. */
const ESTIMATED_LAG_MS = 700

/** A first look reads the whole index; so does one after which the live playlist's five entries do not reach back. */
export async function openIndex(deps: IndexDeps, sessionId: string): Promise<IndexMemory | undefined> {
  if (!(await findSession(deps.db, sessionId))) return undefined
  return { landed: new Set(await listSequences(deps.db, sessionId)), origin: undefined }
}

/** Lands every closed segment that has no row yet. Returns how many. */
export async function indexSegments(deps: IndexDeps, sessionId: string, memory: IndexMemory): Promise<number> {
  const entries = await newEntries(deps, sessionId, memory)
  if (entries.length === 0) return 0
  const origin = memory.origin ?? (await findOrigin(deps, sessionId)) ?? entries[0]?.programDateTime.getTime() ?? 0
  memory.origin = origin
  const context = {
    bufferPath: deps.bufferPath,
    sessionId,
    now: deps.now,
    startMsOf: (entry: PlaylistEntry) => entry.programDateTime.getTime() - origin,
  }
  const landed: LandedSegment[] = []
  for (const entry of entries) {
    const segment = await landSegment(context, entry)
    if (segment) landed.push(segment)
    if (segment?.unreadable)
      deps.log.warn('segment unreadable', { sessionId, sequence: entry.sequence, why: segment.unreadable })
  }
  if (landed.length > 0) await record(deps, sessionId, landed, origin)
  for (const entry of entries) memory.landed.add(entry.sequence)
  for (const segment of landed) await unlinkSource(deps.bufferPath, sessionId, segment)
  return landed.length
}

async function newEntries(deps: IndexDeps, sessionId: string, memory: IndexMemory): Promise<PlaylistEntry[]> {
  const live = await readPlaylist(deps, sessionId, 'live.m3u8')
  const first = live[0]?.sequence
  const reachesBack = first === 0 || (first !== undefined && memory.landed.has(first))
  const entries = reachesBack ? live : [...(await readPlaylist(deps, sessionId, 'index.m3u8')), ...live]
  const fresh = new Map(entries.map((entry) => [entry.sequence, entry]))
  for (const sequence of memory.landed) fresh.delete(sequence)
  return [...fresh.values()].toSorted((a, b) => a.sequence - b.sequence)
}

/** The first entry of the main playlist, which egress never shortens. */
async function findOrigin(deps: IndexDeps, sessionId: string): Promise<number | undefined> {
  const [first] = await readPlaylist(deps, sessionId, 'index.m3u8')
  return first?.sequence === 0 ? first.programDateTime.getTime() : undefined
}

async function readPlaylist(deps: IndexDeps, sessionId: string, name: string): Promise<PlaylistEntry[]> {
  const text = await readFile(bufferPathOf(deps.bufferPath, sessionId, name), 'utf8').catch(absent)
  return (text === undefined ? undefined : parsePlaylist(text))?.entries ?? []
}

async function record(deps: IndexDeps, sessionId: string, landed: LandedSegment[], origin: number): Promise<void> {
  await deps.db.transaction().execute(async (trx) => {
    await recordSegments(trx, sessionId, landed)
    const session = await lockSession(trx, sessionId)
    if (session && needsWord(session, deps.node))
      await setSession(trx, sessionId, {
        node: deps.node,
        ...(session.clock_origin
          ? {}
          : { clock_origin: new Date(origin - ESTIMATED_LAG_MS), clock_source: 'estimated' as const }),
      })
  })
  deps.log.debug('segments landed', { sessionId, count: landed.length, last: landed.at(-1)?.sequence })
  deps.onLanded(sessionId)
}

const needsWord = (session: Session, node: string) => session.clock_origin === null || session.node !== node
