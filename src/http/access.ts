import type { Request, RequestHandler, Response } from 'express'
import { AppError } from '../errors.ts'
import type { Caller, VerifyToken } from '../livekit/access-token.ts'

/*
 * Who may do what. A member of a room sees its sessions; a user acts for themself; a
 * room's admin acts for anyone in it; a backend may do everything. README has the table.
 */

/** Wants a LiveKit access token, and remembers whose it is. */
export function authenticate(verifyToken: VerifyToken): RequestHandler {
  return async (req, res, next) => {
    const token = bearerToken(req)
    if (token === undefined)
      throw new AppError('unauthorized', 'Authorization: Bearer <LiveKit access token> is missing')
    ;(res.locals as { caller?: Caller }).caller = await verifyToken(token)
    next()
  }
}

export function bearerToken(req: Request): string | undefined {
  return /^Bearer +(\S+)$/i.exec(req.get('authorization') ?? '')?.[1]
}

/** The caller that `authenticate` let in. */
export function callerOf(res: Response): Caller {
  const { caller } = res.locals as { caller?: Caller }
  if (!caller) throw new Error('a route without authenticate asked for its caller')
  return caller
}

export function seesRoom(caller: Caller, room: string): boolean {
  return caller.isBackend || caller.room === room
}

/** Throws `other_room` unless the caller may see this room's sessions. */
export function assertSeesRoom(caller: Caller, room: string): void {
  if (!seesRoom(caller, room)) throw otherRoom()
}

/** Throws `other_room` or `forbidden` unless the caller may act on what this user has in this room. */
export function assertActsFor(caller: Caller, room: string, userId: string): void {
  if (caller.isBackend) return
  if (caller.room !== room) throw otherRoom()
  if (caller.isRoomAdmin || caller.userId === userId) return
  throw new AppError('forbidden', "this belongs to another user: only they, or the room's admin, may do that")
}

/** The clip is the caller's, or was made in a room that the caller is admin of. */
export function ownsClip(caller: Caller, clip: { user_id: string; room: string }): boolean {
  if (caller.isBackend || caller.userId === clip.user_id) return true
  return caller.isRoomAdmin && caller.room === clip.room
}

/** Throws `forbidden` unless the clip is the caller's to use. */
export function assertOwnsClip(caller: Caller, clip: { user_id: string; room: string }): void {
  if (!ownsClip(caller, clip)) throw new AppError('forbidden', "this is another user's clip")
}

const otherRoom = () => new AppError('other_room', 'the token is not for this room')

/** For whom the caller acts: themself, or whom a backend names. Throws `forbidden` or `invalid_request`. */
export function actingUser(caller: Caller, named: string | undefined, fallback?: string): string {
  if (named !== undefined && named !== caller.userId && !caller.isBackend)
    throw new AppError('forbidden', 'userId: only a backend (roomRecord) may name another user')
  const userId = named ?? (caller.isBackend ? (fallback ?? caller.userId) : caller.userId)
  if (userId === undefined || userId === '')
    throw new AppError('invalid_request', 'userId: a token without sub must name the user')
  return userId
}
