import type { Now } from '../clock.ts'
import { enqueue } from '../job/jobs.ts'
import { findSession, lockSession, setSession } from '../session/session.repo.ts'
import { deleteDirectory } from './delete-files.ts'
import { deleteSegments, type RetentionDeps } from './retention.ts'
import { countSegments } from './segment.repo.ts'

export interface PurgeDeps extends RetentionDeps {
  now: Now
  node: string
  /** The watcher need not remember this session any more. */
  forget: (sessionId: string) => void
}

const EVERYTHING_MS = 2 ** 31 - 1

/**
 * The job `purge_session`: deletes a buffer whose time is over, and its directory, on the
 * node that has it. Segments that clips still need stay, and the schedule comes back for
 * them. An egress that writes on makes the directory anew: the sweep deletes it again.
 */
export async function purgeSession(deps: PurgeDeps, { sessionId }: { sessionId: string }): Promise<string> {
  const session = await findSession(deps.db, sessionId)
  if (!session || session.purged_at) return 'not_needed'
  if (!session.expires_at || session.expires_at > deps.now()) return 'not_yet'
  if (session.node !== null && session.node !== deps.node) {
    // It was not known yet where the files would be when this job was made.
    await enqueue(deps.db, 'purge_session', sessionId, { sessionId })
    return 'elsewhere'
  }
  return purgeHere(deps, sessionId)
}

/** Also done for a node that is gone, by whoever is left: its files went with it. */
export async function purgeHere(deps: PurgeDeps, sessionId: string): Promise<string> {
  const segments = await deleteSegments(deps, sessionId, EVERYTHING_MS)
  if ((await countSegments(deps.db, sessionId)) > 0) return 'pinned'
  if (!(await deleteDirectory(deps, sessionId))) return 'not_allowed'
  deps.reached?.('directory deleted')
  deps.forget(sessionId)
  await deps.db.transaction().execute(async (trx) => {
    if (await lockSession(trx, sessionId)) await setSession(trx, sessionId, { purged_at: deps.now() })
  })
  deps.log.info('buffer purged', { sessionId, segments })
  return 'purged'
}
