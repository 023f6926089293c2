import { stat } from 'node:fs/promises'
import type { Now } from '../clock.ts'
import type { Db } from '../db/connect.ts'
import type { Session } from '../db/schema.ts'
import { errorFields, type Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { findSession, lockSession, setSession } from '../session/session.repo.ts'
import { bufferPathOf } from './buffer-path.ts'
import { claimSession } from './claim-session.ts'
import { absent, unlinkSource, type Reached } from './land-segment.ts'
import type { Land } from './lander.ts'
import { createLandedSet, type LandedSet } from './landed-set.ts'
import { noteLanding, type LandingClock } from './landing-clock.ts'
import { takeTurn, type Turns } from './turns.ts'
import type { PlaylistEntry } from './playlist.ts'
import { readFirstInstant, readNewEntries } from './read-playlists.ts'
import { listSequences, recordSegments, type LandedSegment } from './segment.repo.ts'
import { asEntry, listUnlisted, type Found } from './unlisted.ts'

/*
 * The index of a session's buffer.
 * - Playlists say what is complete. A file that none names is looked at only when its
 *   egress is over, and taken only if it decodes and follows on.
 * - Watcher and sweep call this one function: a hint lost costs time, a hint repeated nothing.
 * - A row is written after its sample file has its final name, and before the `.ts` goes.
 */

export interface IndexDeps {
  db: Db
  now: Now
  log: Log
  bufferPath: string
  node: string
  turns: Turns
  land: Land
  /** Told after each commit of new segments, if there are clips that wait for some. */
  onAwaited: (sessionId: string) => void
  metrics?: Pick<Metrics, 'landed'> | undefined
  reached?: Reached | undefined
}

/** What is remembered of a session between two looks, so that most looks ask the database nothing. */
export interface IndexMemory {
  session: Session
  landed: LandedSet
  /** PROGRAM-DATE-TIME of media time 0, in ms. */
  origin: number | undefined
  /** When a file that a playlist names was first found missing, or could not be read. */
  troubledSince: Map<number, number>
  /** The writing of the index that was read and had nothing more to give. */
  indexVersion: string | undefined
  /** Files that no playlist names were looked at, after the end. */
  isSearched: boolean
  clock: LandingClock | undefined
}

/** How much later than the picture egress's PROGRAM-DATE-TIME is, as far as can be said before `startedAt` is known. */
const ESTIMATED_LAG_MS = 700

/** A file named but not there may be one that a network file system does not show yet; after this it is a gap. */
const TROUBLE_LIMIT_MS = 60_000

/** Recorded at once: a back-fill of hours is in the index bit by bit. */
const BATCH = 16

/** A first look reads the whole index. Undefined for a session that nobody knows, is elsewhere, or is purged. */
export async function openIndex(deps: IndexDeps, sessionId: string): Promise<IndexMemory | undefined> {
  if (!(await stat(bufferPathOf(deps.bufferPath, sessionId)).catch(absent))) return undefined
  const session = await findSession(deps.db, sessionId)
  if (!session || session.purged_at) return undefined
  return {
    session: await claimSession(deps, session),
    landed: createLandedSet(await listSequences(deps.db, sessionId)),
    origin: undefined,
    troubledSince: new Map(),
    indexVersion: undefined,
    isSearched: false,
    clock: undefined,
  }
}

/** Lands every closed segment that has no row yet. Returns how many. */
export async function indexSegments(deps: IndexDeps, memory: IndexMemory): Promise<number> {
  const { id } = memory.session
  const { entries, indexVersion } = await readNewEntries(deps.bufferPath, id, memory.landed, memory.indexVersion)
  let count = 0
  if (entries.length > 0) {
    memory.origin ??= await findOrigin(deps, memory, entries)
    const found = entries.map((entry) => ({ ...entry, isListed: true }))
    for (let i = 0; i < found.length; i += BATCH) count += await landBatch(deps, memory, found.slice(i, i + BATCH))
  }
  // What is still to come from the index is in its next writing, unless a file of this one was not to be had.
  if (memory.troubledSince.size === 0) memory.indexVersion = indexVersion
  if (!memory.session.ended_at || memory.isSearched) return count
  return count + (await landUnlisted(deps, memory))
}

/** As near as can be known before a segment is read; half a turn of the 33-bit clock is the only thing that must be right. */
async function findOrigin(deps: IndexDeps, { session }: IndexMemory, entries: PlaylistEntry[]): Promise<number> {
  const first = await readFirstInstant(deps.bufferPath, session.id)
  if (first !== undefined) return first
  if (session.clock_origin) return session.clock_origin.getTime() + ESTIMATED_LAG_MS
  return entries[0]?.programDateTime.getTime() ?? 0
}

/** After the end: files that landed but were not listed any more, one after the other as far as they follow on. */
async function landUnlisted(deps: IndexDeps, memory: IndexMemory): Promise<number> {
  const { id: sessionId } = memory.session
  let count = 0
  memory.origin ??= await findOrigin(deps, memory, [])
  for (const sequence of await listUnlisted(deps.bufferPath, sessionId, memory.landed)) {
    const found = await asEntry(deps.db, sessionId, sequence, memory.origin)
    const landed = found ? await landBatch(deps, memory, [found]) : 0
    if (landed > 0) deps.log.warn('unlisted segment taken', { sessionId, sequence })
    count += landed
  }
  memory.isSearched = true
  return count
}

async function landBatch(deps: IndexDeps, memory: IndexMemory, batch: Found[]): Promise<number> {
  const landed: LandedSegment[] = []
  const troubled: Found[] = []
  for (const found of batch) {
    const row = await landOne(deps, memory, found)
    if (!row) troubled.push(found)
    else landed.push(row)
  }
  if (landed.length > 0) await record(deps, memory, landed)
  for (const { sequence } of landed) settle(memory, sequence)
  if (troubled.length > 0) await judgeTroubled(deps, memory, troubled)
  for (const segment of landed) await unlinkSource(deps.bufferPath, memory.session.id, segment)
  if (landed.length > 0) deps.reached?.('sources unlinked')
  return landed.length
}

/** One that cannot be read for its own sake does not hold up the others; a full disk holds up all. */
async function landOne(deps: IndexDeps, memory: IndexMemory, found: Found): Promise<LandedSegment | undefined> {
  const { id: sessionId } = memory.session
  const { sequence, fileName, durationMs, isListed } = found
  const startMs = found.programDateTime.getTime() - (memory.origin ?? 0)
  try {
    const closed = { sequence, fileName, durationMs, startMs, isListed }
    const row = await takeTurn(deps.turns, () => deps.land(deps.bufferPath, sessionId, closed))
    if (row?.unreadable) deps.log.warn('segment unreadable', { sessionId, sequence, why: row.unreadable })
    // From here on the frames themselves say where media time 0 is.
    else if (row && isListed) memory.origin = found.programDateTime.getTime() - row.start_ms
    return row && { ...row, session_id: sessionId, landed_at: deps.now() }
  } catch (error) {
    if (!isOfThisFile(error)) throw error
    if (!memory.troubledSince.has(sequence))
      deps.log.error('segment not landed', { sessionId, sequence, ...errorFields(error) })
    return undefined
  }
}

function isOfThisFile(error: unknown): boolean {
  return error instanceof Error && 'code' in error && ['EACCES', 'EPERM', 'EIO', 'EISDIR'].includes(String(error.code))
}

/** Landed by another instance on the same disk, on its way, or lost. */
async function judgeTroubled(deps: IndexDeps, memory: IndexMemory, troubled: Found[]): Promise<void> {
  const sequences = troubled.filter(({ isListed }) => isListed).map(({ sequence }) => sequence)
  for (const sequence of await listSequences(deps.db, memory.session.id, sequences)) settle(memory, sequence)
  const now = deps.now().getTime()
  for (const sequence of sequences.filter((candidate) => !memory.landed.has(candidate))) {
    const since = memory.troubledSince.get(sequence) ?? now
    memory.troubledSince.set(sequence, since)
    if (now - since < TROUBLE_LIMIT_MS) continue
    settle(memory, sequence)
    deps.log.warn('segment lost', { sessionId: memory.session.id, sequence })
  }
}

function settle(memory: IndexMemory, sequence: number): void {
  memory.landed.add(sequence)
  memory.troubledSince.delete(sequence)
}

async function record(deps: IndexDeps, memory: IndexMemory, landed: LandedSegment[]): Promise<void> {
  const { id } = memory.session
  const { isAwaited } = await recordSegments(deps.db, id, landed)
  deps.reached?.('rows recorded')
  if (!memory.session.clock_origin) await estimateClock(deps, memory)
  const newest = landed.at(-1)
  deps.log.debug('segments landed', { sessionId: id, count: landed.length, last: newest?.sequence })
  if (isAwaited) deps.onAwaited(id)
  // More than these at once are a back-fill, and late for another reason.
  const lagMs = newest && landed.length <= 2 ? noteClock(deps, memory, newest) : undefined
  const unreadable = landed.filter((segment) => segment.unreadable !== null).length
  deps.metrics?.landed({ count: landed.length, unreadable, lagMs })
}

/** Until LiveKit tells when its first packet came. */
async function estimateClock(deps: IndexDeps, memory: IndexMemory): Promise<void> {
  const origin = memory.origin
  if (origin === undefined) return
  const session = await deps.db.transaction().execute(async (trx) => {
    const locked = await lockSession(trx, memory.session.id)
    if (!locked || locked.clock_origin) return locked
    const clock = { clock_origin: new Date(origin - ESTIMATED_LAG_MS), clock_source: 'estimated' as const }
    await setSession(trx, locked.id, clock)
    return { ...locked, ...clock }
  })
  if (session) memory.session = session
}

/** Returns the lag, if the session has a clock. */
function noteClock(deps: IndexDeps, memory: IndexMemory, newest: LandedSegment): number | undefined {
  const { session } = memory
  if (!session.clock_origin) return undefined
  const endMs = newest.start_ms + newest.duration_ms
  const origin = session.clock_origin.getTime()
  const noted = noteLanding(memory.clock, origin, endMs, newest.landed_at.getTime())
  memory.clock = noted.clock
  if (noted.isDrifting) deps.log.warn('session clock drifted', { sessionId: session.id, ...noted.clock.figures })
  return noted.clock.figures.lagMs
}
