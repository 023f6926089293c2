import express, { Router } from 'express'
import { AppError } from '../errors.ts'
import type { Metrics } from '../metrics.ts'
import { receiveWebhook, type WebhookDeps } from '../webhook/receive-webhook.ts'

/** Room and participant metadata can be half a mebibyte each, escaped (contract section 6). */
const LARGEST_BODY = 4 * 1024 * 1024

/** LiveKit's door. 200 only after the effect is committed; what is not 2xx or 4xx, LiveKit sends again. */
export interface WebhookRoutesDeps extends WebhookDeps {
  metrics?: Pick<Metrics, 'webhookReceived'> | undefined
}

export function webhookRoutes(deps: WebhookRoutesDeps): Router {
  const router = Router()
  router.post('/livekit', express.raw({ type: () => true, limit: LARGEST_BODY }), async (req, res) => {
    const body = Buffer.isBuffer(req.body) ? req.body.toString('utf8') : ''
    const { event, effect } = await receiveWebhook(deps, body, req.get('authorization')).catch((error: unknown) => {
      deps.metrics?.webhookReceived('unknown', error instanceof AppError ? error.code : 'failed')
      throw error
    })
    deps.metrics?.webhookReceived(EVENTS.has(event) ? event : 'other', effect)
    res.json({ effect })
  })
  return router
}

/** LiveKit's own (contract section 6): what else may come is one word in the metrics. */
const EVENTS = new Set([
  'room_started',
  'room_finished',
  'participant_joined',
  'participant_left',
  'participant_connection_aborted',
  'track_published',
  'track_unpublished',
  'egress_started',
  'egress_updated',
  'egress_ended',
  'ingress_started',
  'ingress_ended',
])
