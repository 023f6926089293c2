import { AppError } from '../errors.ts'
import type { EgressApi } from '../livekit/egress.ts'
import type { PingLivekit } from '../livekit/ping.ts'
import { fail, messageOf, ok, warn, type Finding } from './finding.ts'

export interface LivekitDeps {
  livekitUrl: string
  ping: PingLivekit
  egress: Pick<EgressApi, 'listActive'>
}

const LIMIT_MS = 4000
/** The Date header has whole seconds. */
const SEEN_SKEW_MS = 2000
/** Tokens and webhooks are refused when clocks are further apart (contract section 6). */
const MOST_SKEW_MS = 10_000

/** Reachable, the key right, its clock ours, egress there. */
export async function checkLivekit(deps: LivekitDeps): Promise<Finding[]> {
  const url = deps.livekitUrl.replace(/^ws/, 'http')
  const sentAt = Date.now()
  let date: string | null
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(LIMIT_MS), redirect: 'manual' })
    await answer.body?.cancel()
    date = answer.headers.get('date')
  } catch (error) {
    const todo = 'is LiveKit running, is LIVEKIT_URL right, and may this machine reach it?'
    return [fail('livekit', `nobody answers at ${url}: ${messageOf(error)}`, todo)]
  }
  const key = await checkKey(deps.ping)
  const egress = key.state === 'ok' ? await checkEgress(deps) : []
  return [ok('livekit', `answers at ${url}`), key, checkClock(date, (sentAt + Date.now()) / 2), ...egress]
}

async function checkKey(ping: PingLivekit): Promise<Finding> {
  try {
    await ping()
    return ok('livekit key', 'is taken')
  } catch (error) {
    if (error instanceof AppError)
      return fail(
        'livekit key',
        `its API does not answer: ${messageOf(error.cause)}`,
        'is it LiveKit that answers at LIVEKIT_URL? see its log',
      )
    const todo = 'LIVEKIT_API_KEY and LIVEKIT_API_SECRET must be a pair under `keys` in livekit.yaml'
    return fail('livekit key', 'LiveKit refuses our API key or secret', todo)
  }
}

function checkClock(date: string | null, nowMs: number): Finding {
  const dateMs = Date.parse(date ?? '')
  if (Number.isNaN(dateMs))
    return warn('livekit clock', 'it does not say what time it is', 'see to NTP on both machines')
  const skewMs = dateMs + 500 - nowMs
  const found = `its clock is ${(skewMs / 1000).toFixed(0)} s from ours`
  const todo =
    'run NTP on both: beyond 10 s tokens and webhooks are refused, and clips show the wrong moment by as much'
  if (Math.abs(skewMs) < SEEN_SKEW_MS) return ok('livekit clock', 'is ours, to a second')
  return Math.abs(skewMs) < MOST_SKEW_MS ? warn('livekit clock', found, todo) : fail('livekit clock', found, todo)
}

async function checkEgress({ egress }: LivekitDeps): Promise<Finding[]> {
  try {
    const active = await egress.listActive()
    const ours = active.filter(({ sessionId }) => sessionId !== undefined).length
    return [ok('egress', `LiveKit has an egress service; ${active.length} run, ${ours} of them ours`)]
  } catch (error) {
    const why = error instanceof AppError ? messageOf(error.cause) : messageOf(error)
    return [
      fail(
        'egress',
        `LiveKit cannot list egresses: ${why}`,
        'egress needs Redis: the same `redis` in livekit.yaml and egress.yaml, and an egress container',
      ),
    ]
  }
}
