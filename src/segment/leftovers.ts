import { readdir, stat } from 'node:fs/promises'
import { systemNow, type Now } from '../clock.ts'
import type { Db } from '../db/connect.ts'
import type { Session } from '../db/schema.ts'
import { bufferPathOf, sampleFileName } from './buffer-path.ts'
import { absent } from './land-segment.ts'
import { parseSequence } from './playlist.ts'
import { readListed } from './read-playlists.ts'
import { listLive, listMarked } from './segment.repo.ts'

/*
 * What a kill between two steps leaves in a session's directory:
 * - a temporary file, of a sample file that was being written;
 * - a sample file without a row; its `.ts` is there still, and lands again;
 * - a `.ts` whose row is there: its frames are in the sample file;
 * - the file of a row that is marked as deleted.
 * And what an egress leaves that died: a `.ts` that no playlist names and that does not follow on.
 */

export interface LeftoverDeps {
  db: Db
  now: Now
  bufferPath: string
}

/** A file younger than this, by the file system's clock, may be somebody's work. */
const YOUNG_MS = 60_000

const SEGMENT_FILE = /^seg_\d{5,9}\.(ts|samples|samples\.[0-9a-f]{8}\.tmp)$/

/** Files of a session that are of no use to anyone any more. */
export async function findLeftovers(
  deps: LeftoverDeps,
  session: Session,
): Promise<{ files: number; leftovers: string[] }> {
  const before = await liveNames(deps.db, session.id)
  const names = (await readdir(bufferPathOf(deps.bufferPath, session.id)).catch(absent)) ?? []
  const unknown = names.filter((name) => !before.has(name) && SEGMENT_FILE.test(name))
  if (unknown.length === 0) return { files: names.length, leftovers: [] }
  const marked = new Set(await listMarked(deps.db, session.id, unknown.map(sequenceOf)))
  // Asked again: what landed while we looked has its row by now.
  const live = await liveNames(deps.db, session.id)
  const awaited = await findAwaited(deps, session, unknown)
  const leftovers: string[] = []
  for (const name of unknown.filter((candidate) => !live.has(candidate))) {
    const isDone = marked.has(sequenceOf(name)) || (name.endsWith('.ts') && live.has(sampleFileName(name)))
    if (isDone || (!awaited.has(name) && (await isOld(deps, session.id, name)))) leftovers.push(name)
  }
  return { files: names.length, leftovers }
}

async function liveNames(db: Db, sessionId: string): Promise<Set<string>> {
  return new Set((await listLive(db, sessionId)).map((row) => row.file_name))
}

/** A `.ts` that is to land, and the sample file beside it that a kill left without its row. */
async function findAwaited(deps: LeftoverDeps, session: Session, unknown: string[]): Promise<Set<string>> {
  const sources = unknown.filter((name) => name.endsWith('.ts'))
  if (sources.length === 0) return new Set()
  const listed = isOver(deps, session) ? await readListed(deps.bufferPath, session.id) : undefined
  const awaited = sources.filter((name) => !listed || listed.has(name))
  return new Set(awaited.flatMap((name) => [name, sampleFileName(name)]))
}

/** No more is to come, and what its egress left has been looked at. */
function isOver(deps: LeftoverDeps, session: Session): boolean {
  return session.ended_at !== null && deps.now().getTime() - session.ended_at.getTime() > YOUNG_MS
}

const sequenceOf = (name: string) => parseSequence(name.replace(/\.samples.*$/, '.ts')) ?? -1

async function isOld(deps: LeftoverDeps, sessionId: string, name: string): Promise<boolean> {
  const found = await stat(bufferPathOf(deps.bufferPath, sessionId, name)).catch(absent)
  return found !== undefined && systemNow().getTime() - found.mtimeMs > YOUNG_MS
}
