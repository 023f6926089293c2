import { createHash, timingSafeEqual } from 'node:crypto'
import { Router, type Request } from 'express'
import { AppError } from '../errors.ts'
import type { Figures } from '../metrics-figures.ts'
import type { Metrics } from '../metrics.ts'
import type { Readiness } from '../operate/readiness.ts'

export interface OperateDeps {
  config: { metricsToken: string | undefined }
  metrics: Pick<Metrics, 'text' | 'contentType'>
  readReadiness: () => Promise<Readiness>
  readFigures: () => Promise<Figures>
}

/** What operators and their tools ask. */
export function operateRoutes(deps: OperateDeps): Router {
  const router = Router()

  router.get('/healthz', (_req, res) => {
    res.json({ status: 'ok' })
  })

  router.get('/readyz', async (_req, res) => {
    const { isReady, parts, disk } = await deps.readReadiness()
    if (!isReady)
      throw new AppError('database_unavailable', 'webhooks cannot be taken: the parts say why', { details: parts })
    const isWell = Object.values(parts).every((state) => state === 'ok')
    const { isFull: _, ...bytes } = disk ?? { isFull: undefined }
    res.set('Cache-Control', 'no-store').json({ status: isWell ? 'ready' : 'degraded', ...parts, ...bytes })
  })

  router.get('/metrics', async (req, res) => {
    assertMayRead(req, deps.config.metricsToken)
    const text = await deps.metrics.text(await deps.readFigures())
    res.set({ 'Content-Type': deps.metrics.contentType, 'Cache-Control': 'no-store' }).end(text)
  })
  return router
}

/** Throws `unauthorized`. Without a token of its own there is nothing in it that needs one. */
function assertMayRead(req: Request, token: string | undefined): void {
  if (token === undefined) return
  const hash = (text: string) => createHash('sha256').update(text).digest()
  if (!timingSafeEqual(hash(req.get('authorization') ?? ''), hash(`Bearer ${token}`)))
    throw new AppError('unauthorized', 'Authorization: Bearer and REPLAY_METRICS_TOKEN')
}
