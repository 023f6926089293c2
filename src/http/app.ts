import express, { type Express, type NextFunction, type Request, type Response } from 'express'
import helmet from 'helmet'
import type { Config } from '../config.ts'
import { AppError } from '../errors.ts'
import type { Metrics } from '../metrics.ts'
import { authenticate } from './access.ts'
import { captureRoutes, type CaptureRoutesDeps } from './captures.routes.ts'
import { clipRoutes, type ClipRoutesDeps } from './clips.routes.ts'
import { consoleRoutes } from './console.routes.ts'
import { allowOrigins } from './cors.ts'
import { docsRoutes } from './docs.routes.ts'
import { errorHandler } from './errors.ts'
import { eventRoutes, type EventRoutesDeps } from './events.routes.ts'
import { mediaRoutes, type MediaRoutesDeps } from './media.routes.ts'
import { createMediaTokens } from './media-token.ts'
import { observeRequests } from './observe-requests.ts'
import { operateRoutes, type OperateDeps } from './operate.routes.ts'
import { passToNode, type PassDeps } from './pass-to-node.ts'
import { posterRoutes, type PosterRoutesDeps } from './poster.routes.ts'
import { methodsOf } from './operations.ts'
import { createPresenter } from './present.ts'
import { sessionPlaylistRoutes, type SessionPlaylistDeps } from './session-playlist.routes.ts'
import { sessionRoutes, type SessionRoutesDeps } from './sessions.routes.ts'
import { webhookRoutes, type WebhookRoutesDeps } from './webhook.routes.ts'

type Routes = ClipRoutesDeps &
  CaptureRoutesDeps &
  SessionRoutesDeps &
  MediaRoutesDeps &
  PosterRoutesDeps &
  SessionPlaylistDeps &
  PassDeps &
  EventRoutesDeps &
  OperateDeps &
  WebhookRoutesDeps

export type AppDeps = Omit<Routes, 'presenterFor' | 'tokens' | 'config' | 'metrics'> & {
  config: Config
  metrics: Metrics
}

/** Everything that answers HTTP. */
export function createApp(deps: AppDeps): Express {
  const { config } = deps
  const app = express()
  app.disable('x-powered-by')
  app.set('query parser', 'simple')
  app.set('etag', false)
  app.set('trust proxy', config.trustProxy)
  // A page of another origin that may call us may also show what it got the links of.
  const policy = config.corsOrigins.length > 0 ? 'cross-origin' : 'same-origin'
  app.use(observeRequests(deps.metrics))
  app.use(helmet({ crossOriginResourcePolicy: { policy } }), allowOrigins(config.corsOrigins))

  const tokens = createMediaTokens(config.livekit.keys, deps.now)
  const baseUrl = (req: Request) => config.publicUrl ?? `${req.protocol}://${req.host}`
  const presenterFor = (req: Request) => createPresenter(baseUrl(req), tokens)

  app.use(answerOptions)
  app.use(operateRoutes(deps), docsRoutes(), consoleRoutes())
  app.use('/webhooks', webhookRoutes({ ...deps, log: deps.log.child('webhook') }))
  app.use(
    '/v1',
    passToNode(deps),
    mediaRoutes({ ...deps, tokens }),
    posterRoutes({ ...deps, tokens }),
    sessionPlaylistRoutes({ ...deps, tokens }),
  )
  app.use('/v1', authenticate(deps.verifyToken), express.json({ limit: '64kb' }))
  app.use('/v1', sessionRoutes({ ...deps, presenterFor }))
  app.use(
    '/v1',
    captureRoutes({ ...deps, log: deps.log.child('capture'), presenterFor }),
    clipRoutes({ ...deps, presenterFor }),
  )
  app.use('/v1', eventRoutes({ ...deps, presenterFor }))
  app.use((req) => refuseUnknown(req.method, req.path))
  app.use(errorHandler(deps.log))
  return app
}

/** Throws `not_found`, or `method_not_allowed` for what can be called in other ways. */
function refuseUnknown(method: string, path: string): never {
  const methods = methodsOf(path)
  if (methods.length === 0) throw new AppError('not_found', `there is no ${method} ${path}`)
  throw new AppError('method_not_allowed', `${path} takes ${methods.join(', ')}`, { details: { allow: methods } })
}

/** What a path can be called with (RFC 9110, 9.3.7): express would name what one router has. */
function answerOptions(req: Request, res: Response, next: NextFunction): void {
  const methods = req.method === 'OPTIONS' ? methodsOf(req.path) : []
  if (methods.length === 0) next()
  else res.status(204).set('Allow', methods.join(', ')).end()
}
