import type { Request } from 'express'
import type { ClipWithFile } from '../clip/clip.repo.ts'
import type { Session } from '../db/schema.ts'
import { AppError } from '../errors.ts'
import type { Caller, VerifyToken } from '../livekit/access-token.ts'
import { assertOwnsClip, assertSeesRoom, bearerToken } from './access.ts'
import type { MediaTokens } from './media-token.ts'

/*
 * A player's request is allowed by the signature in its link, or by the caller's token.
 */

export interface MediaAccessDeps {
  tokens: MediaTokens
  verifyToken: VerifyToken
}

export async function assertMayPlayClip(deps: MediaAccessDeps, req: Request, clip: ClipWithFile): Promise<void> {
  const caller = await callerWithoutLink(deps, req, `clip:${clip.id}`)
  if (caller) assertOwnsClip(caller, clip)
}

export async function assertMaySeeBuffer(deps: MediaAccessDeps, req: Request, session: Session): Promise<void> {
  const caller = await callerWithoutLink(deps, req, `session:${session.id}`)
  if (caller) assertSeesRoom(caller, session.room)
}

/** Undefined when the link is enough. */
async function callerWithoutLink(deps: MediaAccessDeps, req: Request, subject: string): Promise<Caller | undefined> {
  const { token } = req.query
  if (typeof token === 'string') {
    deps.tokens.check(subject, token)
    return undefined
  }
  const bearer = bearerToken(req)
  if (bearer === undefined)
    throw new AppError('unauthorized', 'a link with its token, or an Authorization header, is needed')
  return deps.verifyToken(bearer)
}
