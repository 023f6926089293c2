import express, { type Express, type Request } from 'express'
import helmet from 'helmet'
import { sql } from 'kysely'
import type { Config } from '../config.ts'
import { AppError } from '../errors.ts'
import type { VerifyToken } from '../livekit/access-token.ts'
import type { WebhookDeps } from '../webhook/receive-webhook.ts'
import { authenticate } from './access.ts'
import { clipRoutes, type ClipRoutesDeps } from './clips.routes.ts'
import { errorHandler } from './errors.ts'
import { mediaRoutes, type MediaRoutesDeps } from './media.routes.ts'
import { createMediaTokens } from './media-token.ts'
import { createClipPresenter } from './present.ts'
import { sessionRoutes, type SessionRoutesDeps } from './sessions.routes.ts'
import { webhookRoutes } from './webhook.routes.ts'

export interface AppDeps
  extends
    Omit<ClipRoutesDeps, 'presenterFor' | 'config'>,
    Omit<SessionRoutesDeps, 'config'>,
    Omit<MediaRoutesDeps, 'tokens'>,
    Omit<WebhookDeps, 'config'> {
  verifyToken: VerifyToken
  config: Config
}

/** Everything that answers HTTP. */
export function createApp(deps: AppDeps): Express {
  const app = express()
  app.disable('x-powered-by')
  app.set('query parser', 'simple')
  app.set('etag', false)
  app.use(helmet())

  const tokens = createMediaTokens(deps.config.livekit.apiSecret, deps.now)
  const baseUrl = (req: Request) => deps.config.publicUrl ?? `${req.protocol}://${req.get('host') ?? 'localhost'}`
  const presenterFor = (req: Request) => createClipPresenter(baseUrl(req), tokens)

  app.get('/healthz', (_req, res) => {
    res.json({ status: 'ok' })
  })
  app.get('/readyz', async (_req, res) => {
    await sql`select 1`.execute(deps.db)
    res.json({ status: 'ready', database: 'ok' })
  })
  app.use('/webhooks', webhookRoutes(deps))
  app.use('/v1', mediaRoutes({ ...deps, tokens }))
  app.use('/v1', authenticate(deps.verifyToken), express.json({ limit: '64kb' }))
  app.use('/v1', sessionRoutes(deps))
  app.use('/v1', clipRoutes({ ...deps, presenterFor }))
  app.use((req) => {
    throw new AppError('not_found', `there is no ${req.method} ${req.path}`)
  })
  app.use(errorHandler(deps.log))
  return app
}
