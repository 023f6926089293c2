import { Router, type Request } from 'express'
import { z } from 'zod'
import { describeBuffer } from '../capture/describe-buffer.ts'
import { SESSION_STATUSES, type Session } from '../db/schema.ts'
import type { Db } from '../db/connect.ts'
import { AppError } from '../errors.ts'
import { isOurId } from '../own-id.ts'
import { findSession, listSessionsWithBuffer } from '../session/session.repo.ts'
import { startByHand, stopByHand, type ByHandDeps } from '../session/by-hand.ts'
import { QUALITIES } from '../config.ts'
import { actingUser, assertActsFor, assertSeesRoom, callerOf } from './access.ts'
import { communityName, roomName, userName } from './inputs.ts'
import type { Presenter } from './present.ts'

export interface SessionRoutesDeps extends ByHandDeps {
  db: Db
  presenterFor: (req: Request) => Presenter
}

export const sessionListQuery = z.object({
  room: roomName.optional().describe("the token's own room without it; of a backend every room"),
  status: z.enum(SESSION_STATUSES, `one of ${SESSION_STATUSES.join(', ')}`).optional(),
})

export const startBody = z.strictObject({
  room: roomName,
  userId: userName.optional(),
  communityId: communityName.optional(),
  quality: z.enum(QUALITIES, `one of ${QUALITIES.join(', ')}`).optional(),
})

/** `/v1/sessions`: what is being kept, and starting and stopping it by hand. */
export function sessionRoutes(deps: SessionRoutesDeps): Router {
  const router = Router()
  const present = async (req: Request, session: Session) =>
    deps.presenterFor(req).session(session, await describeBuffer(deps.db, session), deps.now())

  router.get('/sessions', async (req, res) => {
    const query = sessionListQuery.parse(req.query)
    const caller = callerOf(res)
    const room = query.room ?? (caller.isBackend ? undefined : (caller.room ?? ''))
    if (room !== undefined) assertSeesRoom(caller, room)
    const found = await listSessionsWithBuffer(deps.db, room)
    const wanted = found.filter((session) => query.status === undefined || session.status === query.status)
    res.json({ sessions: await Promise.all(wanted.map((session) => present(req, session))) })
  })

  router.post('/sessions', async (req, res) => {
    const body = startBody.parse(req.body)
    const caller = callerOf(res)
    const userId = body.userId ?? actingUser(caller, undefined)
    assertActsFor(caller, body.room, userId)
    const session = await startByHand(deps, { ...body, userId })
    res
      .status(201)
      .location(`/v1/sessions/${session.id}`)
      .json(await present(req, session))
  })

  router.get('/sessions/:id', async (req, res) => {
    const session = await requireSession(deps.db, req.params.id)
    assertSeesRoom(callerOf(res), session.room)
    res.json(await present(req, session))
  })

  router.delete('/sessions/:id', async (req, res) => {
    const session = await requireSession(deps.db, req.params.id)
    assertActsFor(callerOf(res), session.room, session.user_id)
    res.json(await present(req, await stopByHand(deps, session.id)))
  })

  return router
}

/** Throws `not_found`. */
export async function requireSession(db: Db, id: string): Promise<Session> {
  return requireSessionBy(findSession, db, id)
}

/** The same, of a session with more to it. */
export async function requireSessionBy<S extends Session>(
  find: (db: Db, id: string) => Promise<S | undefined>,
  db: Db,
  id: string,
): Promise<S> {
  const session = isOurId(id) ? await find(db, id) : undefined
  if (!session) throw new AppError('not_found', 'there is no such session')
  return session
}
