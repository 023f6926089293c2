import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { AccessToken, type VideoGrant } from 'livekit-server-sdk'
import type { ClipAnswer } from '../src/http/answers.ts'
import type { Random } from '../src/simulator/random.ts'
import type { Trouble } from './faults.ts'
import { API_KEY, API_SECRET } from './ground.ts'
import type { Sharer } from './sharers.ts'

/*
 * Random people press at random moments. What is answered with 2xx is a promise, and is
 * written down; what is refused must have a reason.
 */

export interface Promised {
  id: string
  sharer: Sharer
  token: string
  pressedAt: number
  /** Of what was downloaded when it was ready. */
  seen?: { sha256: string; sizeBytes: number }
  clip?: ClipAnswer
  deleted: boolean
}

export interface Presses {
  promised: Promised[]
  refused: Map<string, number>
  /** That are not answered yet. */
  open: Set<Promise<void>>
}

export interface PressDeps {
  url: string
  random: Random
  sharers: Sharer[]
  trouble: Trouble
  presses: Presses
  /** What must not be. */
  broken: (what: string) => void
  /** A promise that was made. */
  onPromise: (promised: Promised) => Promise<void>
}

/** Presses until the time has come; what is then still open is in `presses.open`. */
export async function pressOn(deps: PressDeps, until: number, pausesMs: [number, number]): Promise<void> {
  const { random, presses, broken } = deps
  while (Date.now() < until) {
    const one = press(deps).catch((error: unknown) => broken(`a press: ${String(error)}`))
    presses.open.add(one)
    void one.finally(() => presses.open.delete(one))
    await pause(pausesMs[0] + random() * (pausesMs[1] - pausesMs[0]))
  }
}

/** Repeated when no answer came, so it may have been deleted already. */
export async function deleteClip(deps: PressDeps, promised: Promised): Promise<void> {
  const headers = { authorization: `Bearer ${promised.token}` }
  const answer = await untilAnswered(deps, `/v1/clips/${promised.id}`, { method: 'DELETE', headers })
  if (answer?.status !== 200 && answer?.status !== 404)
    deps.broken(`deleting clip ${promised.id} was answered with ${answer?.status}`)
  promised.deleted = true
}

/** Somebody presses, and is answered. Retried with the same key while nobody answers, as a client does. */
export async function press(deps: PressDeps): Promise<void> {
  const { random, sharers, presses } = deps
  const sharer = sharers[Math.floor(random() * sharers.length)]
  if (!sharer || sharer.spans.length === 0) return
  const body = { room: sharer.room, ...chooseRange(random) }
  const isAsync = random() < 0.3
  const token = await tokenOf(sharer.identity, { room: sharer.room, roomJoin: true })
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    'idempotency-key': randomUUID(),
    ...(isAsync ? { prefer: 'respond-async' } : {}),
  }
  const pressedAt = Date.now()
  const answer = await untilAnswered(deps, '/v1/clips', { method: 'POST', headers, body: JSON.stringify(body) })
  if (!answer) return deps.broken(`a press of ${sharer.identity} was not answered within a minute and a half`)
  if (answer.status === 201 || answer.status === 202) {
    const { id } = (await answer.json()) as ClipAnswer
    const promised: Promised = { id, sharer, token, pressedAt, deleted: false }
    presses.promised.push(promised)
    return deps.onPromise(promised)
  }
  const { code } = (await answer.json()) as { code: string }
  presses.refused.set(code, (presses.refused.get(code) ?? 0) + 1)
  if (!isRefusalRight(deps.trouble, sharer, code, pressedAt, body))
    deps.broken(`a press of ${sharer.identity} was refused with ${code}: ${JSON.stringify(body)}`)
}

type Range = { lastSeconds: number } | { from: string; to: string } | { durationMinutes: 1 }

function chooseRange(random: Random): Range {
  const chance = random()
  if (chance < 0.5) return { lastSeconds: Math.round(20 + random() * 250) / 10 }
  if (chance < 0.6) return { durationMinutes: 1 }
  const to = Date.now() - random() * 20_000
  return { from: new Date(to - 2000 - random() * 20_000).toISOString(), to: new Date(to).toISOString() }
}

/** A 503, and a service that is not there, are no answers: a client tries again. */
export async function untilAnswered(
  { url, trouble, broken }: Pick<PressDeps, 'url' | 'trouble' | 'broken'>,
  path: string,
  init: RequestInit,
): Promise<Response | undefined> {
  for (const deadline = Date.now() + 90_000; Date.now() < deadline; await pause(500)) {
    const sentAt = Date.now()
    let why = ''
    const answer = await fetch(url + path, init).catch((error: unknown) => {
      why = String(error instanceof Error ? (error.cause ?? error) : error)
    })
    if (answer && answer.status < 500) return answer
    if (answer?.status === 507) return answer
    const what = answer ? `${answer.status} ${await answer.text().catch(() => 'cut off')}` : `nothing (${why})`
    if ((answer && answer.status !== 503) || !wasAway(trouble, sentAt)) broken(`${path} was answered with ${what}`)
  }
  return undefined
}

/** The database and the service come back a little after they were started. */
const BACK_MS = 10_000

export function wasAway({ times }: Trouble, at: number): boolean {
  return times.some(({ what, from, to = Infinity }) => what === 'away' && from <= Date.now() && at <= to + BACK_MS)
}

const LONGEST_LOOK_MS = 10_000

function isRefusalRight(trouble: Trouble, sharer: Sharer, code: string, at: number, body: object): boolean {
  const now = Date.now()
  const near = (kinds: string[], beforeMs: number) =>
    trouble.times.some(({ what, from, to = now }) => kinds.includes(what) && from <= now && at <= to + beforeMs)
  if (code === 'storage_full') return near(['full'], LONGEST_LOOK_MS)
  if (code === 'invalid_request') return near(['clock'], 1000)
  if (code !== 'range_not_recorded' && code !== 'not_found') return false
  const from = 'from' in body ? Date.parse(String(body.from)) : at - 60_000
  const to = 'to' in body ? Date.parse(String(body.to)) : at
  const excused = trouble.excuses.some((excuse) => excuse.from <= now && from <= excuse.to)
  if (excused || near(['clock'], 60_000)) return true
  // Six seconds of a share are recorded in any case, unless something went wrong.
  return !sharer.spans.some((span) => Math.min(span.to ?? to, to) - Math.max(span.from + 6000, from) > 500)
}

export async function tokenOf(identity: string, grant: VideoGrant): Promise<string> {
  const token = new AccessToken(API_KEY, API_SECRET, { identity, ttl: '12h' })
  token.addGrant(grant)
  return token.toJwt()
}
