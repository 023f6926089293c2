import { createHash, createHmac } from 'node:crypto'
import http from 'node:http'
import https from 'node:https'
import type { SimulatorClock } from './clock.ts'

export type WebhookKey = { apiKey: string; apiSecret: string }

/** Signs a body as LiveKit does: a token of five minutes that holds the body's hash. */
export function signWebhook(key: WebhookKey, body: string, nowMs: number): string {
  const now = Math.floor(nowMs / 1000)
  const sha256 = createHash('sha256').update(body).digest('base64')
  const header = encode({ alg: 'HS256', typ: 'JWT' })
  const claims = encode({ iss: key.apiKey, exp: now + 300, nbf: now, iat: now, sha256 })
  const signature = createHmac('sha256', key.apiSecret).update(`${header}.${claims}`).digest('base64url')
  return `${header}.${claims}.${signature}`
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

/** Only a broken connection, 429 and 5xx except 501 are worth another try; every other answer counts as delivered. */
export function isRetried(status: number | undefined): boolean {
  return status === undefined || status === 429 || (status >= 500 && status !== 501)
}

export type PostWebhook = (url: string, body: string, token: string) => Promise<number | undefined>

/** One pool of connections. The answer is the HTTP status, or undefined when the connection failed. */
export function createWebhookPoster(): { post: PostWebhook; close: () => void } {
  const agents = { 'http:': new http.Agent({ keepAlive: true }), 'https:': new https.Agent({ keepAlive: true }) }
  const post: PostWebhook = (url, body, token) =>
    new Promise((resolve) => {
      const secure = url.startsWith('https:')
      const headers = {
        'Content-Type': 'application/webhook+json',
        'Content-Length': Buffer.byteLength(body),
        'User-Agent': 'Go-http-client/1.1',
        Authorization: token,
      }
      const agent = agents[secure ? 'https:' : 'http:']
      const request = (secure ? https : http).request(url, { method: 'POST', headers, agent }, (response) => {
        response.resume()
        response.on('end', () => resolve(response.statusCode))
        response.on('error', () => resolve(undefined))
      })
      request.on('error', () => resolve(undefined))
      request.end(body)
    })
  return {
    post,
    close: () => {
      for (const agent of Object.values(agents)) agent.destroy()
    },
  }
}

/** What the simulator remembers of a webhook. `lost` by a fault, `dropped` as LiveKit drops: too old, or no tries left. */
export type SentWebhook = {
  id: string
  event: string
  url: string
  body: string
  createdAtMs: number
  attempts: number
  httpStatus: number | undefined
  outcome: 'pending' | 'delivered' | 'lost' | 'dropped'
}

// Protocol's resource queue: older than this when its turn comes, and it is dropped silently.
export const MAX_AGE_MS = 30_000
const RETRY_WAITS_MS = [1000, 2000, 4000, 8000]

export type DeliverDeps = {
  clock: SimulatorClock
  key: WebhookKey
  post: PostWebhook
  retryScale: number
  isStopped: () => boolean
}

/** Five tries with the same token and body, waiting 1, 2, 4 and 8 s between them. */
export async function deliver(deps: DeliverDeps, sent: SentWebhook): Promise<void> {
  const token = signWebhook(deps.key, sent.body, deps.clock.now())
  for (const waitMs of [...RETRY_WAITS_MS, undefined]) {
    if (deps.isStopped()) return
    sent.attempts += 1
    sent.httpStatus = await deps.post(sent.url, sent.body, token)
    if (!isRetried(sent.httpStatus)) {
      sent.outcome = 'delivered'
      return
    }
    if (waitMs !== undefined) await new Promise<void>((r) => deps.clock.after(waitMs * deps.retryScale, r))
  }
  sent.outcome = 'dropped'
}
