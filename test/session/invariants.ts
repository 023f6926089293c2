import type { Session } from '../../src/db/schema.ts'
import type { Player } from './players.ts'
import type { World } from './world.ts'

/*
 * What must be true of sessions and egresses: some of it always, the rest when nothing has
 * gone wrong for a while.
 */

/** Never left, once reached. */
export type Ends = Map<string, string>

/** What is wrong now, and would be at any time. `ends` remembers what has ended so far. */
export async function findBroken(world: World, ends: Ends): Promise<string[]> {
  const sessions = await world.sessions()
  const broken: string[] = []
  for (const session of sessions) {
    const was = ends.get(session.id)
    if (was !== undefined && was !== session.status)
      broken.push(`session ${session.id} went from ${was} to ${session.status}`)
    if (session.ended_at) ends.set(session.id, session.status)
  }
  const directories = world.simulator.egresses().map(({ directory }) => directory)
  if (new Set(directories).size < directories.length) broken.push('two egresses were given one directory')
  return [...broken, ...(await findLostBuffers(world, sessions))]
}

const GRACE_MS = 600_000

/** A session with segments keeps them for its grace, whatever ended it: nobody here stopped one by hand. */
async function findLostBuffers({ db }: World, sessions: Session[]): Promise<string[]> {
  const landed = await db.selectFrom('segments').select('session_id').distinct().execute()
  const known = new Map(sessions.map((session) => [session.id, session]))
  return landed.flatMap(({ session_id: id }) => {
    const session = known.get(id)
    if (!session) return [`session ${id} has segments and no row`]
    if (!session.ended_at) return []
    const graceMs = Number(session.expires_at) - session.ended_at.getTime()
    return graceMs < GRACE_MS ? [`session ${id} (${session.ended_reason}) has segments and ${graceMs} ms of grace`] : []
  })
}

/** What is not yet as it should be, once all is well again: each share recorded, and nothing else. */
export async function findUnsettled(world: World, players: Player[]): Promise<string[]> {
  const wrong: string[] = []
  const wanted = new Set<string>()
  const unended = (await world.sessions()).filter(({ ended_at }) => !ended_at)
  for (const player of players) {
    const { room, identity, hasConsent, tracks } = player
    const own = unended.filter((session) => session.room === room && session.user_id === identity)
    const egresses = world.running(room).filter(({ directory }) => own.some(({ id }) => directory.endsWith(id)))
    const name = `${identity} in ${room}`
    const [session, egress] = [own[0], egresses[0]]
    if (egress) wanted.add(egress.egressId)
    if (tracks.length === 0 || !hasConsent) {
      if (own.length > 0)
        wrong.push(`${name} shares nothing and has a session ${own.map(({ status }) => status).join()}`)
    } else if (own.length !== 1 || session?.status !== 'active' || session.share_ended_at)
      wrong.push(`${name} shares and has ${own.map(({ status }) => status).join() || 'no session'}`)
    else if (egresses.length !== 1 || egress?.egressId !== session.egress_id || egress?.status !== 'EGRESS_ACTIVE')
      wrong.push(`${name} shares and has ${egresses.length} egresses`)
    else if (!tracks.includes(egress.trackSid ?? '')) wrong.push(`${name} shares and black is recorded`)
    else if (!(player.isTied ? tracks : tracks.slice(-1)).includes(session.video_track_sid ?? ''))
      wrong.push(`${name} shares another track than is recorded`)
  }
  for (const { egressId } of world.running()) if (!wanted.has(egressId)) wrong.push(`egress ${egressId} is nobody's`)
  return wrong
}
