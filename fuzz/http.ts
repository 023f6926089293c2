import { request } from 'node:http'
import fc from 'fast-check'
import type { Operation } from '../src/http/operation.ts'
import { OPERATIONS } from '../src/http/operations.ts'
import { createAnswerCheck } from '../test/http/api.ts'
import { readWebhooks } from '../test/support/recording.ts'
import { ROOM, startRecordedShare, USER, type RecordedShare } from '../test/support/recorded-share.ts'
import { memberToken, signWebhook, type Answer } from '../test/support/service.ts'
import { until } from '../test/support/until.ts'
import { damage, jsonDamage, strangeText, strangeValue } from './mutate.ts'

/*
 * A service beside what was recorded of a share, asked for whatever there is: it answers
 * as it is described, and nothing that is said to it is a bug of its own (500).
 */

export interface HttpFuzz {
  targets: Record<string, fc.IAsyncProperty<unknown>>
  stop: () => Promise<void>
}

const RECORDINGS = ['participant-stopped', 'track-composite-ended', 'egress-killed', 'pipeline-failed']

export async function startHttpFuzz(): Promise<HttpFuzz> {
  const share = await startRecordedShare()
  await share.land({ to: 6 })
  const token = await memberToken(USER, ROOM)
  await until('the segments', async () => {
    const { body } = await share.call('GET', `/v1/sessions/${share.sessionId}`, { token })
    return body.coverage.coveredSeconds > 11
  })
  share.setClock(share.startedAtMs + 30_000)
  const from = new Date(share.startedAtMs + 2000)
  const range = { from, to: new Date(from.getTime() + 2000) }
  const clip = await share.call('POST', `/v1/sessions/${share.sessionId}/clips`, { token, body: range })
  const ids = [share.sessionId, String(clip.body.id)]
  const bodies = (await Promise.all(RECORDINGS.map(readWebhooks))).flat().map(({ body }) => body)
  return {
    targets: {
      'a webhook, its JSON changed': fc.asyncProperty(fc.constantFrom(...bodies), jsonDamage, async (body, change) =>
        deliver(share, JSON.stringify(change(JSON.parse(body))) ?? ''),
      ),
      'a webhook, its bytes damaged': fc.asyncProperty(fc.constantFrom(...bodies), damage(1), async (body, change) =>
        deliver(share, change(Buffer.from(body)).toString('utf8')),
      ),
      'a call': fc.asyncProperty(anyCall(ids, range), async (call) => ask(share, token, call)),
    },
    stop: () => share.stop(),
  }
}

/** A webhook may come with another id, and so be another one; it is signed, so it is believed. */
async function deliver(share: RecordedShare, body: string): Promise<void> {
  const { status, text } = await send(share.url, {
    method: 'POST',
    path: '/webhooks/livekit',
    headers: { authorization: await signWebhook(body), 'content-type': 'application/webhook+json' },
    body,
  })
  if (status !== 200 && status !== 400 && status !== 413) throw new Error(`answered with ${status}: ${text}`)
  expectNoErrors(share)
}

interface Call {
  /** Its id. */
  name: string
  ids: string[]
  query: [string, string][]
  headers: Record<string, string>
  body: unknown
}

/** Of each call that there is: strange ids, known and unknown query parameters, headers that it reads, any body. */
function anyCall(known: string[], range: object): fc.Arbitrary<Call> {
  const id = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...known) },
    fc.uuid({ version: 7 }),
    strangeText,
    fc.constantFrom('0', '1', '-1', '00000', '99999999999'),
  )
  const body = fc.oneof(
    jsonDamage.map((change) => change({ ...range, title: 'a moment', pressedAt: new Date() })),
    jsonDamage.map((change) => change({ room: ROOM, lastSeconds: 3, userId: USER, communityId: 'c', quality: '720p' })),
    strangeValue,
  )
  const line = fc.string({ unit: 'grapheme-ascii', maxLength: 60 })
  const headers = fc.record(
    {
      range: fc.oneof(
        line,
        fc.constantFrom('bytes=0-', 'bytes=-1', 'bytes=5-1', 'bytes=0-0,2-3', 'bytes=99999999999-'),
      ),
      'if-range': line,
      'if-none-match': line,
      'idempotency-key': line,
      prefer: fc.oneof(line, fc.constantFrom('respond-async', 'wait=0', 'wait=-1', 'wait=1e9')),
      'last-event-id': fc.oneof(line, fc.constantFrom('0', '1', '-1', '1e3', '99999999999999999999')),
    },
    { requiredKeys: [] },
  )
  return fc.constantFrom(...OPERATIONS).chain((operation) => {
    const names = [...Object.keys(operation.query?.shape ?? {}), 'token', 'x', 'limit[]', '__proto__']
    const query = fc.array(fc.tuple(fc.constantFrom(...names), strangeText), { maxLength: 3 })
    const wanted = DELETES.has(operation.id) ? id.filter((text) => !known.some((one) => text.includes(one))) : id
    const some = fc.array(wanted, { minLength: 2, maxLength: 2 })
    return fc.record({ name: fc.constant(operation.id), ids: some, query, headers, body })
  })
}

/** The share and the clip, of which all the others tell, are not to go: what deletes is asked for others. */
const DELETES = new Set(['stopSession', 'deleteClip'])

const check = createAnswerCheck()

async function ask(share: RecordedShare, token: string, call: Call): Promise<void> {
  const operation = OPERATIONS.find(({ id }) => id === call.name)
  if (!operation) throw new Error(`there is no ${call.name}`)
  let n = 0
  const path = operation.path.replaceAll(/\{\w+\}/g, () => encodeURIComponent(wellFormed(call.ids[n++] ?? '') || 'x'))
  const query = call.query.map((pair) => pair.map((part) => encodeURIComponent(wellFormed(part))).join('=')).join('&')
  const isWithBody = operation.method === 'post' || operation.method === 'patch'
  const answer = await send(share.url, {
    method: operation.method.toUpperCase(),
    path: `${path}${query ? `?${query}` : ''}`,
    headers: {
      ...onlyLatin(call.headers),
      authorization: `Bearer ${token}`,
      prefer: operation.id.startsWith('capture') ? 'respond-async' : (call.headers['prefer'] ?? ''),
      ...(isWithBody ? { 'content-type': 'application/json' } : {}),
    },
    ...(isWithBody ? { body: JSON.stringify(call.body) ?? '' } : {}),
  })
  if (answer.status >= 500) throw new Error(`${path}?${query} was answered with ${answer.status}: ${answer.text}`)
  // What is there is not new to a client that says so: of any call (RFC 9110, 13.1.2).
  const isNotNew = answer.status === 304 && call.headers['if-none-match'] !== undefined
  if (!isNotNew && new URL(path, share.url).pathname === path) checkDescribed(operation, path, answer)
  expectNoErrors(share)
}

/** An id of several path parts, or of none, is another path. */
function checkDescribed({ path: pattern, method }: Operation, path: string, { status, headers, text }: Sent): void {
  if (path.split('/').length !== pattern.split('/').length || path.includes('//') || path.endsWith('/')) return
  const isJson = /json/.test(headers.get('content-type') ?? '')
  const body: unknown = isJson && text !== '' ? JSON.parse(text) : Buffer.from(text)
  check(method.toUpperCase(), path, { status, headers, body } satisfies Answer)
}

const wellFormed = (text: string) => text.toWellFormed()

function onlyLatin(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([, value]) => /^[\x20-\x7e]*$/.test(value)))
}

function expectNoErrors({ lines }: RecordedShare): void {
  const error = lines.splice(0).find(({ level }) => level === 'error')
  if (error) throw new Error(`it logged ${JSON.stringify(error)}`)
}

interface Sent {
  status: number
  headers: Headers
  text: string
}

/** As it is: `fetch` would put a path right before it is sent. Of a stream, which does not end, the beginning. */
async function send(
  url: string,
  call: { method: string; path: string; headers: Record<string, string>; body?: string },
): Promise<Sent> {
  return new Promise((resolve, reject) => {
    const { method, path, headers, body } = call
    const outgoing = request(url, { method, path, headers }, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      const isStream = answer.headers['content-type']?.startsWith('text/event-stream') === true
      if (isStream) answer.destroy()
      answer.on(isStream ? 'close' : 'end', () => {
        const pairs = Object.entries(answer.headers).map(([name, value]): [string, string] => [name, String(value)])
        const text = Buffer.concat(chunks).toString()
        resolve({ status: answer.statusCode ?? 0, headers: new Headers(pairs), text })
      })
      answer.on('error', reject)
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}
