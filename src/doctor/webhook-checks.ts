import type pg from 'pg'
import { DOCTOR_EVENT } from './service-checks.ts'
import { ok, warn, type Finding } from './finding.ts'

/** Whether LiveKit's webhooks come in: the service keeps them for seven days. */
export async function checkWebhooks(client: pg.Client, serviceUrl: string): Promise<Finding[]> {
  const { rows: known } = await client.query<{ known: boolean }>(
    `select to_regclass('webhook_events') is not null as known`,
  )
  const { rows } = known[0]?.known
    ? await client.query<{ event: string; seconds: number }>(
        `select event, extract(epoch from now() - received_at)::int as seconds from webhook_events
         where event <> $1 order by received_at desc limit 1`,
        [DOCTOR_EVENT],
      )
    : { rows: [] }
  const [last] = rows
  if (last) return [ok('webhooks', `the last from LiveKit came ${ago(last.seconds)} ago (${last.event})`)]
  const todo =
    `in livekit.yaml: webhook: { api_key: <LIVEKIT_API_KEY>, urls: [${serviceUrl}/webhooks/livekit] }, by a name that LiveKit reaches; ` +
    'then npm run doctor -- --probe shows whether one comes'
  return [warn('webhooks', 'none came from LiveKit in the last seven days', todo)]
}

function ago(seconds: number): string {
  if (seconds < 120) return `${Math.max(0, seconds)} s`
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`
  return `${Math.round(seconds / 3600)} h`
}
