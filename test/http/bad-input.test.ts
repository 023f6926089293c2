import { expect } from 'chai'
import { v7 as uuidv7 } from 'uuid'
import { readWebhooks } from '../support/recording.ts'
import { ROOM, startRecordedShare, USER, type RecordedShare } from '../support/recorded-share.ts'
import { adminToken, backendToken, memberToken, tokenOf, type Answer } from '../support/service.ts'
import { until } from '../support/until.ts'

describe('bad input', () => {
  let share: RecordedShare
  let alice: string

  before(async () => {
    alice = await memberToken(USER, ROOM)
    share = await startRecordedShare()
    await share.land({ to: 10 })
    await until('the segments', async () => {
      const { body } = await share.call('GET', `/v1/sessions/${share.sessionId}`, { token: alice })
      return body.coverage.coveredSeconds > 15
    })
    share.setClock(share.startedAtMs + 60_000)
  })
  after(() => share.stop())

  const capture = (body: unknown, token = alice, headers: Record<string, string> = {}) =>
    share.call('POST', `/v1/sessions/${share.sessionId}/clips`, { token, body, headers })

  function expectProblem(answer: Answer, status: number, code: string): void {
    expect({ status: answer.status, code: answer.body.code }).to.deep.equal({ status, code })
    expect(answer.headers.get('content-type')).to.match(/^application\/problem\+json/)
    expect(answer.body.status).to.equal(status)
    expect(answer.body.title).to.be.a('string')
    expect(answer.body.detail).to.be.a('string')
  }

  describe('at the webhook door', () => {
    it('is refused with 401 for a wrong signature, and leaves nothing behind', async () => {
      const [webhook] = await readWebhooks('pipeline-failed')
      const answer = await share.deliver(webhook?.body ?? '', { secret: 'another-secret-another-secret-another' })
      expectProblem(answer, 401, 'bad_signature')
      const id = (JSON.parse(webhook?.body ?? '{}') as { id: string }).id
      const rows = await share.service.db.selectFrom('webhook_events').where('id', '=', id).selectAll().execute()
      expect(rows).to.deep.equal([])
    })

    it('is refused with 401 when the body was changed after it was signed', async () => {
      const [webhook] = await readWebhooks('pipeline-failed')
      const answer = await share.call('POST', '/webhooks/livekit', {
        headers: { authorization: 'nothing' },
        body: webhook?.body ?? '',
      })
      expectProblem(answer, 401, 'bad_signature')
    })

    it('is refused with 400 when it is signed but no webhook', async () => {
      expectProblem(await share.deliver('{"event": 7}'), 400, 'invalid_request')
      expectProblem(await share.deliver('no json'), 400, 'invalid_request')
    })

    it('is refused with 413 beyond 4 MiB, and taken just below', async () => {
      const metadata = (bytes: number) =>
        JSON.stringify({ event: 'room_started', id: 'EV_large', room: { name: 'r', metadata: 'x'.repeat(bytes) } })
      expectProblem(await share.deliver(metadata(5 * 1024 * 1024)), 413, 'body_too_large')
      expect((await share.deliver(metadata(4 * 1024 * 1024 - 200))).status).to.equal(200)
    })
  })

  describe('from a caller', () => {
    it('is refused with 401 without a token, or with one that is no token, or signed by somebody else', async () => {
      const path = `/v1/sessions?room=${ROOM}`
      expectProblem(await share.call('GET', path), 401, 'unauthorized')
      expectProblem(await share.call('GET', path, { token: 'a.b.c' }), 401, 'token_malformed')
      const forged = `${alice.slice(0, -4)}AAAA`
      expectProblem(await share.call('GET', path, { token: forged }), 401, 'token_signature')
    })

    it('is refused with 404 for a session, a clip or a route that is not there', async () => {
      for (const id of [uuidv7(), 'not-an-id', '..%2f..%2fetc', '%00'])
        expectProblem(await share.call('GET', `/v1/sessions/${id}`, { token: alice }), 404, 'not_found')
      expectProblem(await share.call('GET', `/v1/clips/${uuidv7()}`, { token: alice }), 404, 'not_found')
      expectProblem(await share.call('GET', '/v1/nothing', { token: alice }), 404, 'not_found')
      expectProblem(await share.call('GET', '/nothing'), 404, 'not_found')
    })

    it("is refused with 403 for another user's session and another room", async () => {
      const bob = await memberToken('bob', ROOM)
      const stranger = await memberToken(USER, 'another-room')
      expectProblem(await capture({ lastSeconds: 5 }, bob), 403, 'forbidden')
      expectProblem(await capture({ lastSeconds: 5 }, stranger), 403, 'other_room')
      expectProblem(await share.call('GET', `/v1/sessions?room=${ROOM}`, { token: stranger }), 403, 'other_room')
      expectProblem(await capture({ lastSeconds: 5, userId: 'carol' }, alice), 403, 'forbidden')
      const admin = await adminToken('mod', ROOM)
      expectProblem(await capture({ lastSeconds: 5, userId: 'carol' }, admin), 403, 'forbidden')
    })

    it('lets a backend act for whom it names, and asks it for a name where there is none', async () => {
      const backend = await backendToken()
      const from = new Date(share.startedAtMs + 2000)
      const made = await capture({ from, to: new Date(from.getTime() + 3000), userId: 'carol' }, backend)
      expect({ status: made.status, userId: made.body.userId }).to.deep.equal({ status: 201, userId: 'carol' })
      expectProblem(await share.call('GET', '/v1/clips', { token: backend }), 400, 'invalid_request')
      const nobody = await tokenOf(undefined, { room: ROOM, roomAdmin: true })
      expectProblem(await share.call('GET', '/v1/quota', { token: nobody }), 400, 'invalid_request')
    })
  })

  describe('in a capture', () => {
    it('is refused with 422 for a range before the buffer, which says what is available', async () => {
      const from = new Date(share.startedAtMs - 60_000)
      const answer = await capture({ from, to: new Date(share.startedAtMs - 30_000) })
      expectProblem(answer, 422, 'range_not_recorded')
      expect(Date.parse(answer.body.available[0].coveredFrom)).to.be.closeTo(share.startedAtMs, 100)
      expect(answer.body.available[0].coveredSeconds).to.be.closeTo(20, 0.2)
    })

    it('is refused with 400 that names the field and what is allowed', async () => {
      const cases: [unknown, RegExp][] = [
        [{ durationMinutes: 3 }, /durationMinutes: one of 1, 2, 5, 10/],
        [{ lastSeconds: 0 }, /lastSeconds: more than 0/],
        [{ lastSeconds: 'ten' }, /lastSeconds: a number of seconds/],
        [{ lastSeconds: 5, durationMinutes: 1 }, /exactly one of/],
        [{}, /exactly one of/],
        [{ from: '2026-11-22T17:02:00Z' }, /to: from and to go together/],
        [{ from: 'yesterday', to: 'today' }, /from: an instant/],
        [{ from: '2026-11-22T17:02:00Z', to: '2026-11-22T17:02:00Z' }, /to: later than from/],
        [{ from: '2026-11-22T17:00:00Z', to: '2036-11-22T17:02:00Z' }, /to: not in the future/],
        [{ from: '2026-11-22T13:00:00Z', to: '2026-11-22T17:00:00Z' }, /at most 10 minutes/],
        [{ lastSeconds: 5, title: '' }, /title: 1 to 200 characters/],
        [{ lastSeconds: 5, title: 'x'.repeat(201) }, /title: 1 to 200 characters/],
        [{ lastSeconds: 5, colour: 'red' }, /colour/],
        ['[]', /./],
        ['{"lastSeconds":', /JSON/],
      ]
      for (const [body, detail] of cases) {
        const headers = typeof body === 'string' ? { 'content-type': 'application/json' } : {}
        const answer = await capture(body, alice, headers)
        expectProblem(answer, 400, 'invalid_request')
        expect(answer.body.detail).to.match(detail)
      }
      expectProblem(await capture({ lastSeconds: 5 }, alice, { 'idempotency-key': 'a b' }), 400, 'invalid_request')
    })

    it('is refused with 403 when the quota is full, with the numbers', async () => {
      await share.service.db.insertInto('user_quotas').values({ user_id: 'poor', limit_bytes: 1000 }).execute()
      const from = new Date(share.startedAtMs + 2000)
      const body = { from, to: new Date(from.getTime() + 3000), userId: 'poor' }
      const answer = await capture(body, await backendToken())
      expectProblem(answer, 403, 'quota_exceeded')
      expect(answer.body).to.include({ usedBytes: 0, limitBytes: 1000 })
      expect(answer.body.neededBytes).to.be.greaterThan(1000)
      const clips = await share.service.db
        .selectFrom('replay_clips')
        .where('user_id', '=', 'poor')
        .selectAll()
        .execute()
      expect(clips).to.deep.equal([])
    })
  })

  describe('of an operator', () => {
    it('does not stop the service: with the database away it answers 503, and is well again afterwards', async () => {
      const sessionsPath = `/v1/sessions?room=${ROOM}`
      await share.database.cutOff()
      expectProblem(await share.call('GET', sessionsPath, { token: alice }), 503, 'database_unavailable')
      const [webhook] = await readWebhooks('nothing-to-record')
      expectProblem(await share.deliver(webhook?.body ?? ''), 503, 'database_unavailable')
      expect((await share.call('GET', '/healthz')).status).to.equal(200)
      expectProblem(await share.call('GET', '/readyz'), 503, 'database_unavailable')

      await share.database.allow()
      const again = await until('the service', async () => {
        const answer = await share.call('GET', sessionsPath, { token: alice })
        return answer.status === 200 && answer
      })
      expect(again.body.sessions.map((session: { id: string }) => session.id)).to.deep.equal([share.sessionId])
      expect((await share.deliver(webhook?.body ?? '')).status).to.equal(200)
      const from = new Date(share.startedAtMs + 2000)
      const made = await capture({ from, to: new Date(from.getTime() + 3000) })
      expect(made.status).to.equal(201)
      await until('the clip at rest', async () => {
        return (await share.call('GET', `/v1/clips/${made.body.id}`, { token: alice })).body.stored
      })
    })
  })
})
