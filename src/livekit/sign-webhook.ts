import { createHash } from 'node:crypto'
import { AccessToken } from 'livekit-server-sdk'
import type { ApiKey } from './access-token.ts'

/** The Authorization header of a webhook: a token of five minutes that holds the body's hash (contract section 6). */
export type SignWebhook = (body: string) => Promise<string>

export function createWebhookSigner({ apiKey, apiSecret }: ApiKey): SignWebhook {
  return async (body) => {
    const token = new AccessToken(apiKey, apiSecret, { ttl: '5m' })
    token.sha256 = createHash('sha256').update(body).digest('base64')
    return token.toJwt()
  }
}
