import { STATUS_CODES } from 'node:http'
import type { ErrorRequestHandler, Response } from 'express'
import { v7 as uuidv7 } from 'uuid'
import { ZodError } from 'zod'
import { isDatabaseAway } from '../db/connect.ts'
import { AppError, type ErrorCode } from '../errors.ts'
import { errorFields, type Log } from '../log.ts'

/** A new code does not compile without a status. */
export const STATUS: Record<ErrorCode, number> = {
  already_recording: 409,
  bad_signature: 401,
  body_too_large: 413,
  database_unavailable: 503,
  ffmpeg_failed: 503,
  forbidden: 403,
  idempotency_key_reused: 422,
  invalid_request: 400,
  limit_reached: 409,
  link_expired: 401,
  link_invalid: 401,
  livekit_unavailable: 503,
  method_not_allowed: 405,
  missing_grant: 403,
  node_unavailable: 503,
  not_found: 404,
  not_sharing: 404,
  other_room: 403,
  quota_exceeded: 403,
  range_not_recorded: 422,
  range_not_satisfiable: 416,
  storage_full: 507,
  token_algorithm: 401,
  token_expired: 401,
  token_malformed: 401,
  token_not_yet_valid: 401,
  token_signature: 401,
  token_unknown_key: 401,
  too_many_requests: 429,
  unauthorized: 401,
}

/** Answers every failure as `application/problem+json` (RFC 9457) with a stable code. */
export function errorHandler(log: Log): ErrorRequestHandler {
  // oxlint-disable-next-line max-params -- express tells an error handler by its four parameters
  return (error: unknown, req, res, _next) => {
    const known = asAppError(error)
    if (res.headersSent) {
      // A download that broke in the middle: the client must not take it for complete.
      log.warn('answer cut off', { path: req.path, ...errorFields(error) })
      res.destroy()
    } else if (known) sendProblem(res, known)
    else sendBug(res, log, error, req.path)
  }
}

function sendProblem(res: Response, { code, message, details }: AppError): void {
  const status = STATUS[code]
  if (status === 401) res.set('WWW-Authenticate', 'Bearer')
  if (code === 'method_not_allowed') res.set('Allow', String(details['allow']))
  if (code === 'database_unavailable') res.set('Retry-After', '1')
  res
    .status(status)
    .type('application/problem+json')
    .json({ ...details, type: 'about:blank', title: STATUS_CODES[status], status, code, detail: message })
}

function sendBug(res: Response, log: Log, error: unknown, path: string): void {
  const errorId = uuidv7()
  log.error('request failed', { errorId, path, ...errorFields(error) })
  res
    .status(500)
    .type('application/problem+json')
    .json({ type: 'about:blank', title: STATUS_CODES[500], status: 500, code: 'internal', errorId })
}

function asAppError(error: unknown): AppError | undefined {
  if (error instanceof AppError) return error
  if (error instanceof ZodError) return invalidRequest(error)
  if (isDatabaseAway(error)) return new AppError('database_unavailable', 'the database is away, try again')
  return asBodyError(error)
}

function invalidRequest(error: ZodError): AppError {
  const errors = error.issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') return issue.keys.map((field) => ({ field, message: 'is not known here' }))
    return [{ field: issue.path.join('.') || '(body)', message: issue.message }]
  })
  const message = errors.map(({ field, message: wrong }) => `${field}: ${wrong}`).join('; ')
  return new AppError('invalid_request', message, { details: { errors } })
}

/** What express's own parsers throw carries a status and a type. */
function asBodyError(error: unknown): AppError | undefined {
  if (!(error instanceof Error) || !('status' in error) || typeof error.status !== 'number') return undefined
  if (error.status === 413) return new AppError('body_too_large', 'the body is larger than what is taken here')
  if (error.status < 500) return new AppError('invalid_request', 'the request cannot be read: is its body JSON?')
  return undefined
}
