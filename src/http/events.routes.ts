import { Router, type Request, type Response } from 'express'
import { describeBuffer } from '../capture/describe-buffer.ts'
import { createRecent } from '../capture/recent.ts'
import { findClip } from '../clip/clip.repo.ts'
import type { Now } from '../clock.ts'
import type { Db } from '../db/connect.ts'
import type { Event } from '../db/schema.ts'
import { AppError } from '../errors.ts'
import type { Caller } from '../livekit/access-token.ts'
import { errorFields, type Log } from '../log.ts'
import { findIsResumable, listRecentEventsAfter } from '../notify/event.repo.ts'
import type { EventHub } from '../notify/event-hub.ts'
import { findSession } from '../session/session.repo.ts'
import { callerOf, ownsClip, seesRoom } from './access.ts'
import type { EventAnswer } from './answers.ts'
import { openEventStream } from './event-stream.ts'
import type { Presenter } from './present.ts'

export interface EventRoutesDeps {
  db: Db
  now: Now
  log: Log
  events: EventHub
  presenterFor: (req: Request) => Presenter
}

/** How far back a client that lost its connection is told what it missed. */
const RESUME_MS = 300_000

/** `/v1/events`: what happens to sessions and clips that the caller may see, as it happens. */
export function eventRoutes(deps: EventRoutesDeps): Router {
  const router = Router()
  const load = createLoader(deps)

  router.get('/events', (req, res) => {
    const after = lastEventIdOf(req)
    const caller = callerOf(res)
    if (req.method === 'HEAD') res.type('text/event-stream').end()
    else follow(deps, load, { req, res, caller, after })
  })
  return router
}

/** Throws `invalid_request`. */
function lastEventIdOf(req: Request): number | undefined {
  const header = req.get('last-event-id')
  if (header === undefined || header === '') return undefined
  if (!/^\d{1,15}$/.test(header)) throw new AppError('invalid_request', 'Last-Event-ID: the id of an event')
  return Number(header)
}

interface Following {
  req: Request
  res: Response
  caller: Caller
  after: number | undefined
}

/** Events come while the missed ones are looked up; each waits for the one before, and none is sent twice. */
function follow(deps: EventRoutesDeps, load: LoadEvent, { req, res, caller, after }: Following): void {
  const stream = openEventStream(res, caller.expiresAt)
  const present = deps.presenterFor(req)
  let sentId = after ?? 0
  const send = async (event: Event): Promise<void> => {
    if (event.id <= sentId || stream.isClosed()) return
    sentId = event.id
    if (maySee(caller, event)) stream.send(event.type, event.id, await presentEvent(deps, load, present, event))
  }
  let queue = Promise.resolve()
  const inTurn = (work: () => Promise<void>): void => {
    queue = queue.then(work).catch((error: unknown) => {
      deps.log.warn('event stream ended', errorFields(error))
      stream.end()
    })
  }
  const { lastId, unsubscribe } = deps.events.subscribe({
    onEvent: (event) => inTurn(() => send(event)),
    onEnd: stream.end,
  })
  stream.onClose(unsubscribe)
  inTurn(async () => {
    if (after === undefined) return stream.send('hello', (sentId = lastId), {})
    // What the client shows may be wrong: it must ask for everything anew.
    if (!(await findIsResumable(deps.db, after, RESUME_MS))) stream.send('reset', undefined, {})
    for (const event of await listRecentEventsAfter(deps.db, after, RESUME_MS)) await send(event)
  })
}

/** A room's members see its sessions, a clip only its owner and who acts for them. */
function maySee(caller: Caller, event: Event): boolean {
  return event.clip_id === null ? seesRoom(caller, event.room) : ownsClip(caller, event)
}

type LoadEvent = (event: Event) => Promise<Awaited<ReturnType<typeof loadEvent>>>

/** Once for all who follow. */
function createLoader(deps: EventRoutesDeps): LoadEvent {
  const recent = createRecent<Awaited<ReturnType<typeof loadEvent>>>(32)
  return (event) => recent(String(event.id), () => loadEvent(deps.db, event))
}

async function loadEvent(db: Db, event: Event) {
  if (event.clip_id !== null) return { clip: await findClip(db, event.clip_id) }
  const session = await findSession(db, event.session_id)
  return session ? { session, coverage: await describeBuffer(db, session) } : {}
}

async function presentEvent(
  deps: EventRoutesDeps,
  load: LoadEvent,
  present: Presenter,
  event: Event,
): Promise<EventAnswer> {
  const { clip, session, coverage } = { clip: undefined, session: undefined, ...(await load(event)) }
  return {
    id: String(event.id),
    event: event.type,
    createdAt: event.created_at.toISOString(),
    room: event.room,
    userId: event.user_id,
    sessionId: event.session_id,
    clipId: event.clip_id,
    ...(session && coverage ? { session: present.session(session, coverage, deps.now()) } : {}),
    ...(clip ? { clip: present.clip(clip) } : {}),
  }
}
