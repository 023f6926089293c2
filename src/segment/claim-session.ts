import { sql } from 'kysely'
import type { Db } from '../db/connect.ts'
import type { Session } from '../db/schema.ts'
import { enqueue } from '../job/jobs.ts'
import type { Log } from '../log.ts'
import { lockSession, setSession } from '../session/session.repo.ts'

export interface ClaimDeps {
  db: Db
  log: Log
  node: string
}

/**
 * The instance that sees a session's directory says so: what needs the files is done
 * there. A node that was renamed (a container with a new host name) takes over what it
 * finds on its disk, and the jobs that were meant for its old name.
 */
export async function claimSession(deps: ClaimDeps, session: Session): Promise<Session> {
  if (session.node === deps.node) return session
  return deps.db.transaction().execute(async (trx) => {
    const locked = await lockSession(trx, session.id)
    if (!locked || locked.node === deps.node) return locked ?? session
    await setSession(trx, session.id, { node: deps.node })
    if (locked.node === null) return { ...locked, node: deps.node }
    deps.log.info('session taken over', { sessionId: session.id, from: locked.node, node: deps.node })
    for (const clipId of await listUnstoredClips(trx, session.id))
      await enqueue(trx, 'store_clip', session.id, { clipId }, { key: `store:${clipId}` })
    if (locked.expires_at && !locked.purged_at) {
      const at = { key: `purge:${session.id}`, runAt: locked.expires_at }
      await enqueue(trx, 'purge_session', session.id, { sessionId: session.id }, at)
    }
    return { ...locked, node: deps.node }
  })
}

async function listUnstoredClips(db: Db, sessionId: string): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select id from replay_clips where session_id = ${sessionId} and status = 'ready' and file_id is null`.execute(db)
  return rows.map((row) => row.id)
}
