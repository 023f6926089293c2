import type { Session, ShareRow } from '../db/schema.ts'
import type { LivekitRoom, Participant } from '../livekit/room-service.ts'
import { decideAutoStart } from './auto-start.ts'
import { findRefusal } from './capacity.ts'
import { askToStart } from './create-session.ts'
import { lockSessionOf } from './lifecycle.ts'
import { isOnItsWay, observeUser } from './observe.ts'
import { listUnendedSessions, setSession } from './session.repo.ts'
import { listLivingShares } from './share.repo.ts'
import type { StartDeps } from './start-egress.ts'
import { nextStatus } from './transition.ts'

/** Rooms in which we know of nothing can only hold a share whose webhook was lost: so many are looked at in a minute. */
const MOST_STRANGE_ROOMS = 200

/** Questions to LiveKit at a time. */
const AT_ONCE = 8

interface Known {
  shares: ShareRow[]
  sessions: Session[]
}

/** Shares against sessions, in the rooms that matter: missed ones begin, missed ends end, refused ones get their turn. */
export async function reconcileShares(
  deps: StartDeps,
): Promise<{ seen: number; gone: number; optedOut: number; letIn: number }> {
  const counts = { seen: 0, gone: 0, optedOut: 0, letIn: 0 }
  const rooms = await deps.rooms.listRooms()
  const known = { shares: await listLivingShares(deps.db), sessions: await listUnendedSessions(deps.db) }
  const queue = roomsThatMatter(rooms, known, Math.floor(deps.now().getTime() / 60_000))
  const work = async (): Promise<void> => {
    for (let room = queue.pop(); room; room = queue.pop()) {
      const found = await reconcileRoom(deps, room, known)
      for (const outcome of found) counts[outcome] += 1
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  for (const session of known.sessions) if (await letIn(deps, session)) counts.letIn += 1
  return counts
}

/** All rooms of which we know something, and of the others, if there are very many, another part each minute. */
export function roomsThatMatter(rooms: LivekitRoom[], known: Known, minute: number): string[] {
  const ours = new Set([...known.shares.map(({ room }) => room), ...known.sessions.map(({ room }) => room)])
  const strange = rooms.filter(({ name, participants }) => participants > 0 && !ours.has(name))
  const parts = Math.max(1, Math.ceil(strange.length / MOST_STRANGE_ROOMS))
  const turn = strange.filter((_, index) => index % parts === minute % parts).map(({ name }) => name)
  return [...ours, ...turn]
}

async function reconcileRoom(deps: StartDeps, room: string, known: Known): Promise<('seen' | 'gone' | 'optedOut')[]> {
  const askedAt = deps.now()
  const participants = await deps.rooms.listParticipants(room)
  const shares = known.shares.filter((share) => share.room === room)
  const sessions = known.sessions.filter((session) => session.room === room && session.status !== 'stopping')
  const people = participants.filter(({ isPerson }) => isPerson)
  const users = new Set([
    ...people.filter(({ screenShare }) => screenShare).map(({ identity }) => identity),
    ...shares.map(({ user_id }) => user_id),
    ...sessions.map(({ user_id }) => user_id),
  ])
  const found: ('seen' | 'gone' | 'optedOut')[] = []
  for (const userId of users) {
    const participant = people.find(({ identity }) => identity === userId)
    const session = sessions.find(({ user_id }) => user_id === userId)
    const living = shares.filter(({ user_id }) => user_id === userId)
    if (isAsKnown(deps, participant, session, living)) continue
    const seen = { room, userId, participant, askedAt }
    const outcome = await deps.db.transaction().execute((trx) => observeUser(deps, trx, seen))
    const kind = KINDS[outcome]
    if (!kind || (kind === 'gone' && session?.share_ended_at)) continue
    if (kind === 'optedOut' && !session) continue
    const isNew = kind === 'seen' && isOnItsWay(deps.now(), participant?.screenShare?.publishedAt)
    if (isNew) deps.log.info('share seen before its webhook came', { room, user: userId, outcome })
    else deps.log.warn('session repaired by what LiveKit shows', { room, user: userId, outcome })
    found.push(kind)
  }
  return found
}

const KINDS: Partial<Record<Awaited<ReturnType<typeof observeUser>>, 'seen' | 'gone' | 'optedOut'>> = {
  session_created: 'seen',
  session_continued: 'seen',
  session_replaced: 'seen',
  share_ended: 'gone',
  opted_out: 'optedOut',
  not_opted_in: 'optedOut',
}

/** Nearly all of them are, and need no transaction. */
function isAsKnown(
  deps: StartDeps,
  participant: Participant | undefined,
  session: Session | undefined,
  living: ShareRow[],
): boolean {
  const shown = participant?.screenShares.map(({ trackSid }) => trackSid) ?? []
  const sameShares = shown.length === living.length && living.every(({ track_sid }) => shown.includes(track_sid))
  if (!participant || !session || !sameShares || session.share_ended_at) return false
  const followed = session.video_track_sid === participant.screenShare?.trackSid
  return followed && decideAutoStart(deps.config.autoStart, participant, session.requested_by) === 'record'
}

/** A refused session whose turn has come: what was in its way is no more. */
async function letIn(deps: StartDeps, { id, status }: Session): Promise<boolean> {
  if (status !== 'refused') return false
  return deps.db.transaction().execute(async (trx) => {
    const session = await lockSessionOf(trx, { sessionId: id })
    const next = session && nextStatus(session.status, 'start_again')
    if (!next || (await findRefusal(deps, trx, session.community_id, id))) return false
    await setSession(trx, id, { status: next })
    await askToStart(trx, id, 0)
    return true
  })
}
