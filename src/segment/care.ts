import { readdir, stat } from 'node:fs/promises'
import { systemNow } from '../clock.ts'
import type { Session } from '../db/schema.ts'
import type { EgressApi } from '../livekit/egress.ts'
import { isOurId } from '../own-id.ts'
import { listUnpurgedSessions } from '../session/session.repo.ts'
import { bufferPathOf } from './buffer-path.ts'
import { deleteOldRows, listLiveNodes, listSessionsById } from './buffer.repo.ts'
import { deleteDirectory, deleteFiles } from './delete-files.ts'
import { absent } from './land-segment.ts'
import { findLeftovers } from './leftovers.ts'
import { purgeHere, type PurgeDeps } from './purge-session.ts'
import { deleteOldSegments } from './retention.ts'

/*
 * The rounds that every node makes of its own disk. They do what is due, and what was
 * left undone: each is safe to repeat, and to be killed in.
 */

/** Something was written there this recently: an egress may still be at it. */
const QUIET_MS = 60_000
const DAY_MS = 24 * 3_600_000

/** Each minute: what is too old in every buffer, and what is left of those whose grace is over. */
export async function retainSegments(deps: PurgeDeps): Promise<{ segments: number; sessions: number }> {
  const counts = { segments: 0, sessions: 0 }
  const others = new Set(await listLiveNodes(deps.db))
  others.delete(deps.node)
  for (const session of await listUnpurgedSessions(deps.db)) {
    if (session.node !== null && others.has(session.node)) continue
    if (session.expires_at && session.expires_at <= deps.now())
      counts.sessions += (await purgeHere(deps, session.id)) === 'purged' ? 1 : 0
    else counts.segments += await deleteOldSegments(deps, session)
  }
  return counts
}

/** Each minute: files that are of no use, and directories that came back after their purge. */
export async function sweepBuffers(deps: PurgeDeps): Promise<{ leftovers: number; directories: number }> {
  const counts = { leftovers: 0, directories: 0 }
  const names = (await readdir(deps.bufferPath)).filter(isOurId)
  for (const session of await listSessionsById(deps.db, names)) {
    if (session.purged_at) counts.directories += (await deleteAgain(deps, session)) ? 1 : 0
    else {
      const { leftovers } = await findLeftovers(deps, session)
      counts.leftovers += await deleteFiles(deps, session.id, leftovers)
    }
  }
  return counts
}

async function deleteAgain(deps: PurgeDeps, session: Session): Promise<boolean> {
  return (await isQuiet(deps.bufferPath, session.id, QUIET_MS)) && deleteDirectory(deps, session.id)
}

/** A playlist is written in place, which its directory does not show. */
async function isQuiet(bufferPath: string, sessionId: string, forMs: number): Promise<boolean> {
  for (const name of [undefined, 'live.m3u8', 'index.m3u8']) {
    const found = await stat(bufferPathOf(bufferPath, sessionId, name)).catch(absent)
    if (found && systemNow().getTime() - found.mtimeMs < forMs) return false
  }
  return true
}

export interface HourlyDeps extends PurgeDeps {
  egress: Pick<EgressApi, 'listActive'>
}

/**
 * Each hour: rows of long deleted segments, and directories that no session knows. Such
 * a one is only told of, until it is a day old and LiveKit does not know it either.
 */
export async function sweepUnknown(deps: HourlyDeps): Promise<{ rows: number; directories: number }> {
  const rows = await deleteOldRows(deps.db, new Date(deps.now().getTime() - DAY_MS))
  const names = (await readdir(deps.bufferPath)).filter(isOurId)
  const known = new Set((await listSessionsById(deps.db, names)).map((session) => session.id))
  const unknown = names.filter((name) => !known.has(name))
  if (unknown.length === 0) return { rows, directories: 0 }
  deps.log.warn('directories without a session found', { count: unknown.length, some: unknown.slice(0, 5) })
  const active = new Set((await deps.egress.listActive()).map((facts) => facts.sessionId))
  let directories = 0
  for (const name of unknown) {
    if (active.has(name) || !(await isQuiet(deps.bufferPath, name, DAY_MS))) continue
    if (!(await deleteDirectory(deps, name))) continue
    directories += 1
    deps.log.warn('directory without a session deleted', { sessionId: name })
  }
  return { rows, directories }
}
