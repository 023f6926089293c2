import { randomUUID } from 'node:crypto'
import type { SignWebhook } from '../livekit/sign-webhook.ts'
import { PARTS } from '../operate/readiness.ts'
import { fail, look, messageOf, ok, type Finding } from './finding.ts'

export interface ServiceDeps {
  /** Where this machine reaches the service. */
  serviceUrl: string
  signWebhook: SignWebhook
}

const LIMIT_MS = 6000

/** By this name the service knows that nothing happened. */
export const DOCTOR_EVENT = 'replay_doctor'

/** Asks the running service how it is, and hands it a webhook as LiveKit would. */
export async function checkService(deps: ServiceDeps): Promise<Finding[]> {
  const { serviceUrl } = deps
  let answer: Response
  try {
    answer = await fetch(`${serviceUrl}/readyz`, { signal: AbortSignal.timeout(LIMIT_MS) })
  } catch (error) {
    const todo = 'start it (npm start), or say with --url where it is'
    return [fail('service', `nobody answers at ${serviceUrl}: ${messageOf(error)}`, todo)]
  }
  const body = (await answer.json().catch(() => ({}))) as Record<string, unknown>
  const wrong = PARTS.filter((part) => body[part] !== 'ok')
  if (typeof body['database'] !== 'string')
    return [fail('service', `what answers at ${serviceUrl} is no livekit-replay`, 'say with --url where it is')]
  const parts = wrong.map((part) =>
    fail(`service ${part}`, String(body[part]), 'see its log, and what is said of this below'),
  )
  const webhook = await look('webhook door', () => checkDoor(deps), 'see the log of the service')
  return [ok('service', `answers at ${serviceUrl}: ${String(body['status'])}`), ...parts, ...webhook]
}

/** Signed with our key, of a kind that does nothing. */
async function checkDoor({ serviceUrl, signWebhook }: ServiceDeps): Promise<Finding[]> {
  const createdAt = String(Math.floor(Date.now() / 1000))
  const body = JSON.stringify({ event: DOCTOR_EVENT, id: `EV_doctor_${randomUUID()}`, createdAt })
  const url = `${serviceUrl}/webhooks/livekit`
  const { status } = await fetch(url, {
    method: 'POST',
    body,
    headers: { authorization: await signWebhook(body), 'content-type': 'application/webhook+json' },
    signal: AbortSignal.timeout(LIMIT_MS),
  })
  if (status === 200) return [ok('webhook door', `takes a signed webhook at ${url}`)]
  const todo =
    status === 401
      ? 'the running service has another LIVEKIT_API_KEY or secret than these settings: restart it with these'
      : 'see the log of the service'
  return [fail('webhook door', `answers a signed webhook with ${status}`, todo)]
}
