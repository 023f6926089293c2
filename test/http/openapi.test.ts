import { readFile, writeFile } from 'node:fs/promises'
import { createConfig, lintFromString } from '@redocly/openapi-core'
import { expect } from 'chai'
import { STATUS } from '../../src/http/errors.ts'
import { EXAMPLES_FILE, type Example } from '../../src/http/examples.ts'
import { OPERATIONS } from '../../src/http/operations.ts'
import { ROOM, startRecordedShare, USER, type RecordedShare } from '../support/recorded-share.ts'
import { backendToken, memberToken, type Answer, type CallOptions } from '../support/service.ts'
import { until } from '../support/until.ts'
import { createAnswerCheck, DOCUMENT, listRoutes, nameOf } from './api.ts'

describe('the description of the API', () => {
  it('has every route that there is, and no other', () => {
    expect(OPERATIONS.map(nameOf).toSorted()).to.deep.equal(listRoutes())
    expect(new Set(OPERATIONS.map(({ id }) => id)).size).to.equal(OPERATIONS.length)
  })

  it('is good OpenAPI 3.1, as a linter sees it', async () => {
    const config = await createConfig({
      extends: ['recommended-strict'],
      rules: {
        // It is served by whoever runs it; and liveness has nothing to refuse.
        'no-server-example.com': 'off',
        'operation-4xx-response': 'off',
        // What the events of a stream hold is referred to from an extension.
        'no-unused-components': 'off',
      },
    })
    const problems = await lintFromString({ source: JSON.stringify(DOCUMENT), config })
    const said = problems.map(({ message, location }) => `${location[0]?.pointer ?? ''}: ${message}`)
    expect(said).to.deep.equal([])
  })

  it('names each error code in the README, with its status', async () => {
    const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8')
    const section = readme.slice(readme.indexOf('### Errors'), readme.indexOf('## Invariants'))
    const rows = [...section.matchAll(/^\| `(\w+)`\s+\| (\d+)/gm)].map(([, code, status]) => [code, Number(status)])
    expect(Object.fromEntries(rows)).to.deep.equal({ ...STATUS, internal: 500 })
  })

  describe('holds for', () => {
    const check = createAnswerCheck()
    const seen = new Map<string, Set<number>>()
    const examples: Record<string, Example> = {}
    let share: RecordedShare
    let token: string
    let range: { from: Date; to: Date }

    before(async () => {
      token = await memberToken(USER, ROOM)
      share = await startRecordedShare()
      await share.land({ to: 12 })
      await until('the segments', async () => {
        const { body } = await share.call('GET', `/v1/sessions/${share.sessionId}`, { token })
        return body.coverage.coveredSeconds > 23
      })
      share.setClock(share.startedAtMs + 60_000)
      const from = new Date(share.startedAtMs + 5000)
      range = { from, to: new Date(from.getTime() + 4000) }
    })
    after(() => share.stop())

    /** Calls, compares the answer with the description, and keeps the first good one as an example. */
    async function call(method: string, path: string, options: CallOptions = { token }): Promise<Answer> {
      const answer = await share.call(method, path, options)
      const { id } = check(method, path, answer)
      seen.set(id, (seen.get(id) ?? new Set()).add(answer.status))
      const isJson = answer.headers.get('content-type')?.startsWith('application/json') === true
      if (answer.status < 300 && isJson && id !== 'getDescription') {
        const { body } = options
        examples[id] ??= withoutKeys(
          { ...(body === undefined ? {} : { request: body }), answer: answer.body },
          share.url,
        )
      }
      return answer
    }

    const session = () => `/v1/sessions/${share.sessionId}`
    const linkOf = (link: string) => link.replace(share.url, '')

    it('sessions, as they are answered', async () => {
      await call('GET', `/v1/sessions?room=${ROOM}`)
      await call('GET', '/v1/sessions')
      const { body } = await call('GET', session())
      await call('GET', '/v1/sessions')
      await call('GET', '/v1/sessions?room=other')
      await call('GET', '/v1/sessions/00000000-0000-7000-8000-000000000000')
      await call('POST', '/v1/sessions', { token, body: { room: ROOM } })
      await call('POST', '/v1/sessions', { token, body: { room: '' } })
      await call('GET', linkOf(body.links.poster), {})
      const playlist = await call('GET', linkOf(body.links.playlist), {})
      const lines = playlist.body.toString() as string
      const init = /URI="([^"]+)"/.exec(lines)?.[1] ?? ''
      const segment = /^segment-.*$/m.exec(lines)?.[0] ?? ''
      await call('GET', `${session()}/${init}`, {})
      await call('GET', `${session()}/${segment}`, {})
    })

    it('captures and clips, as they are answered', async () => {
      const made = await call('POST', `${session()}/clips`, { token, body: { ...range, title: 'The goal' } })
      expect(made.status).to.equal(201)
      await call('POST', '/v1/clips', { token, body: { room: ROOM, ...range } })
      await call('POST', '/v1/clips', { token, body: { room: ROOM, ...range }, headers: { prefer: 'respond-async' } })
      await call('POST', `${session()}/clips`, { token, body: { lastSeconds: 1e9 } })
      const past = { from: new Date(share.startedAtMs - 60_000), to: new Date(share.startedAtMs - 50_000) }
      await call('POST', `${session()}/clips`, { token, body: past })
      const { id } = made.body
      await until('the clips at rest', async () => {
        const { body } = await share.call('GET', '/v1/clips', { token })
        return body.clips.every((clip: { stored: boolean }) => clip.stored)
      })
      await call('GET', `/v1/clips/${id}`)
      await call('GET', '/v1/clips?limit=1')
      await call('GET', '/v1/clips?title=goal')
      await call('GET', '/v1/clips?cursor=x')
      await call('PATCH', `/v1/clips/${id}`, { token, body: { title: 'The goal, from behind' } })
      await call('PATCH', `/v1/clips/${id}`, { token, body: { colour: 'red' } })
      await call('GET', '/v1/quota')
      await call('GET', '/v1/quota', { token: await backendToken() })
    })

    it('media, as it is answered', async () => {
      const { body } = await call('GET', '/v1/clips')
      const [{ id, links }] = body.clips
      const etag = (await call('GET', linkOf(links.file), {})).headers.get('etag') ?? ''
      await call('GET', linkOf(links.file), { headers: { range: 'bytes=0-9' } })
      await call('GET', linkOf(links.file), { headers: { range: 'bytes=999999999-' } })
      await call('GET', linkOf(links.file), { headers: { 'if-none-match': etag } })
      await call('GET', linkOf(links.playlist), {})
      await call('GET', linkOf(links.poster), {})
      await call('GET', linkOf(links.poster).replace('token=', 'token=x'), {})
      const query = linkOf(links.file).replace(/.*\?/, '')
      await call('GET', `/v1/clips/${id}/init.mp4?${query}`, {})
      await call('GET', `/v1/clips/${id}/fragment-0.m4s?${query}`, {})
      await call('GET', `/v1/clips/${id}/fragment-999.m4s?${query}`, {})
      await call('DELETE', `/v1/clips/${id}`)
      await call('DELETE', `/v1/clips/${id}`)
    })

    it('the rest, as it is answered', async () => {
      await call('GET', '/healthz', {})
      await call('GET', '/readyz', {})
      await call('GET', '/metrics', {})
      const served = await call('GET', '/openapi.json', {})
      expect(served.body.paths).to.deep.equal(DOCUMENT['paths'])
      const docs = await call('GET', '/docs', {})
      expect(docs.body.toString())
        .to.contain('/v1/sessions/{id}/clips')
        .and.not.match(/<script|(src|href)="http/)
      await call('GET', '/', {})
      await call('GET', '/console/main.js', {})
      await call('GET', '/console/nothing.js', {})
      const event = JSON.stringify({ event: 'room_started', id: 'EV_described', room: { name: 'r', sid: 'RM_r' } })
      const delivered = await share.deliver(event)
      check('POST', '/webhooks/livekit', delivered)
      examples['receiveWebhook'] = { answer: delivered.body }
      await call('POST', '/webhooks/livekit', { body: '{}' })
      await call('DELETE', session())
      await call('DELETE', session(), { token: await memberToken('bob', ROOM) })
      // Beside the one that is stopping there may be another.
      await call('POST', '/v1/sessions', { token, body: { room: ROOM } })
    })

    it('all of them: every call that is described was made, and answered well', () => {
      const untried = OPERATIONS.filter(
        ({ id, answers }) => !Object.keys(answers).some((s) => seen.get(id)?.has(Number(s))),
      )
      // LiveKit signs what it delivers, and a stream does not end: they are asked in another way.
      expect(untried.map(({ id }) => id)).to.have.members(['followEvents', 'receiveWebhook'])
    })

    it('its examples, which are answers of this service', async () => {
      if (process.env['UPDATE_EXAMPLES'] === '1')
        await writeFile(EXAMPLES_FILE, `${JSON.stringify(examples, undefined, 2)}\n`)
      const kept = JSON.parse(await readFile(EXAMPLES_FILE, 'utf8')) as Record<string, Example>
      expect(Object.keys(kept)).to.have.members(Object.keys(examples))
      for (const [id, example] of Object.entries(examples))
        expect(shapeOf(kept[id]), id).to.deep.equal(shapeOf(JSON.parse(JSON.stringify(example))))
    })
  })
})

/** Links are keys: an example has none that was ever good. And nobody's port. */
function withoutKeys(example: Example, url: string): Example {
  const text = JSON.stringify(example).replaceAll(url, 'https://replay.example.com')
  return JSON.parse(text.replaceAll(/token=[\w.-]+/g, 'token=a-signature')) as Example
}

/** Which fields there are, and of which type; of a list, those of its first element. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.length > 0 ? [shapeOf(value[0])] : []
  if (value === null) return 'null'
  if (typeof value !== 'object') return typeof value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shapeOf(inner)]))
}
