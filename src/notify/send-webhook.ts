import type { Config } from '../config.ts'
import type { Db } from '../db/connect.ts'
import type { SignWebhook } from '../livekit/sign-webhook.ts'
import type { Log } from '../log.ts'
import { describeEvent } from './describe-event.ts'
import { findEvent } from './event.repo.ts'
import { urlKeyOf } from './tell-events.ts'

export interface SendWebhookDeps {
  db: Db
  log: Log
  config: Pick<Config, 'webhookUrls'>
  signWebhook: SignWebhook
}

/** A receiver that takes longer is asked again later: it keeps one job busy for this long, and nobody else. */
const TIMEOUT_MS = 5000

/**
 * The job `send_webhook`. Anything but a 2xx is tried again, with growing pauses, for a
 * day; the event's id is the same each time. Throws when it was not delivered.
 */
export async function sendWebhook(
  deps: SendWebhookDeps,
  { eventId, urlKey }: { eventId: number; urlKey: string },
): Promise<string> {
  const url = deps.config.webhookUrls.find((known) => urlKeyOf(known) === urlKey)
  if (url === undefined) return 'url_gone'
  const event = await findEvent(deps.db, eventId)
  if (!event) return 'event_gone'
  const body = JSON.stringify(await describeEvent(deps.db, event))
  const headers = { authorization: await deps.signWebhook(body), 'content-type': 'application/webhook+json' }
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  const answer = await fetch(url, { method: 'POST', headers, body, redirect: 'error', signal })
  await answer.body?.cancel()
  if (!answer.ok) throw new Error(`the webhook's receiver answered ${answer.status}`)
  deps.log.debug('webhook sent', { event: event.type, eventId, urlKey })
  return 'sent'
}
