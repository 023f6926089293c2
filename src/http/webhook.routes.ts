import express, { Router } from 'express'
import { receiveWebhook, type WebhookDeps } from '../webhook/receive-webhook.ts'

/** Room and participant metadata can be half a mebibyte each, escaped (contract section 6). */
const LARGEST_BODY = 4 * 1024 * 1024

/** LiveKit's door. 200 only after the effect is committed; what is not 2xx or 4xx, LiveKit sends again. */
export function webhookRoutes(deps: WebhookDeps): Router {
  const router = Router()
  router.post('/livekit', express.raw({ type: () => true, limit: LARGEST_BODY }), async (req, res) => {
    const body = Buffer.isBuffer(req.body) ? req.body.toString('utf8') : ''
    const { effect } = await receiveWebhook(deps, body, req.get('authorization'))
    res.json({ effect })
  })
  return router
}
