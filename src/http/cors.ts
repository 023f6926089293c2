import type { RequestHandler } from 'express'

const METHODS = 'GET, HEAD, POST, PATCH, DELETE'
const REQUEST_HEADERS = 'authorization, content-type, idempotency-key, if-range, last-event-id, prefer, range'
const ANSWER_HEADERS = [
  ...['Content-Disposition', 'Content-Range', 'ETag', 'Location', 'Preference-Applied'],
  ...['RateLimit', 'RateLimit-Policy', 'Retry-After'],
].join(', ')

/**
 * Lets pages of these origins call us, `*` all; of none by default. No cookies are ever
 * used here, so credentials are not allowed.
 */
export function allowOrigins(origins: string[]): RequestHandler {
  return (req, res, next) => {
    const origin = req.get('origin')
    if (origins.length > 0) res.vary('Origin')
    const isAllowed = origin !== undefined && (origins.includes('*') || origins.includes(origin))
    if (isAllowed) {
      res.set({
        'Access-Control-Allow-Origin': origins.includes('*') ? '*' : origin,
        'Access-Control-Expose-Headers': ANSWER_HEADERS,
      })
    }
    const isPreflight = req.method === 'OPTIONS' && req.get('access-control-request-method') !== undefined
    if (!isPreflight) return next()
    if (isAllowed) {
      res.set({
        'Access-Control-Allow-Methods': METHODS,
        'Access-Control-Allow-Headers': REQUEST_HEADERS,
        'Access-Control-Max-Age': '86400',
      })
    }
    return res.status(204).end()
  }
}
