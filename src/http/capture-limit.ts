import type { Request, Response } from 'express'
import { rateLimit } from 'express-rate-limit'
import { AppError } from '../errors.ts'

export type CaptureLimit = (req: Request, res: Response, userId: string) => Promise<void>

/**
 * Counts a user's captures of the last minute, and sets the RateLimit header fields.
 * Throws `too_many_requests`, with Retry-After. Each instance counts what it was asked:
 * the limit keeps a client from running wild, the quota is what holds.
 */
export function createCaptureLimit(capturesPerMinute: number): CaptureLimit {
  const limiter = rateLimit({
    windowMs: 60_000,
    limit: capturesPerMinute,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    identifier: 'captures',
    // Whose captures are counted is known here, and not from the address that they come from.
    keyGenerator: (_req, res) => (res.locals as { captureUser: string }).captureUser,
    handler: (_req, res, next) => {
      const retryAfterSeconds = Number(res.getHeader('Retry-After'))
      const details = { capturesPerMinute, retryAfterSeconds }
      next(new AppError('too_many_requests', `at most ${capturesPerMinute} captures a minute`, { details }))
    },
  })
  return async (req, res, userId) => {
    ;(res.locals as { captureUser: string }).captureUser = userId
    await new Promise<void>((resolve, reject) => {
      const next = (error?: unknown) => (error instanceof Error ? reject(error) : resolve())
      void limiter(req, res, next)
    })
  }
}
