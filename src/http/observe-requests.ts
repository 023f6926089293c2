import type { RequestHandler } from 'express'
import type { Metrics } from '../metrics.ts'
import { templateOf } from './operations.ts'

/** A stream lasts as long as its client wants: its time says nothing. */
const STREAM = '/v1/events'

/** Tells of each request when it has ended, by the template of its route. */
export function observeRequests(metrics: Pick<Metrics, 'requestAnswered'>): RequestHandler {
  return (req, res, next) => {
    const startedAt = performance.now()
    const { method, path } = req
    res.once('close', () => {
      const route = templateOf(path)
      if (route === STREAM) return
      const isWhole = res.writableFinished
      const status = isWhole ? String(res.statusCode) : 'aborted'
      const sentBytes = isWhole && method !== 'HEAD' ? Number(res.getHeader('content-length') ?? 0) : 0
      metrics.requestAnswered({ method, route, status, tookMs: performance.now() - startedAt, sentBytes })
    })
    next()
  }
}
