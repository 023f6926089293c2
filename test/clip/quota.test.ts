import { expect } from 'chai'
import fc from 'fast-check'
import { sql } from 'kysely'
import { openEvents, type OpenEvents } from '../support/events.ts'
import { ROOM, startRecordedShare, USER, type RecordedShare } from '../support/recorded-share.ts'
import { memberToken } from '../support/service.ts'
import { until } from '../support/until.ts'

describe('a quota', () => {
  let share: RecordedShare
  let token: string
  let events: OpenEvents

  before(async () => {
    token = await memberToken(USER, ROOM)
    share = await startRecordedShare()
    await share.land({ to: 12 })
    await until('the segments', async () => {
      const { body } = await share.call('GET', `/v1/sessions/${share.sessionId}`, { token })
      return body.coverage.coveredSeconds > 23
    })
    share.setClock(share.startedAtMs + 60_000)
    events = await openEvents(share.url, token)
  })
  after(async () => {
    await events.close()
    await share.stop()
  })

  const step = fc.record({
    offsetMs: fc.integer({ min: 0, max: 15_000 }),
    lengthMs: fc.integer({ min: 200, max: 6000 }),
    isAsync: fc.boolean(),
    deleted: fc.constantFrom('never', 'at once', 'at rest'),
  })
  type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

  async function capture({ offsetMs, lengthMs, isAsync }: Step) {
    const from = new Date(share.startedAtMs + offsetMs)
    const body = { from, to: new Date(from.getTime() + lengthMs) }
    const headers: Record<string, string> = isAsync ? { prefer: 'respond-async' } : {}
    return share.call('POST', `/v1/sessions/${share.sessionId}/clips`, { token, body, headers })
  }

  async function live(wanted: Step): Promise<number> {
    const { status, body } = await capture(wanted)
    if (status === 403) expect(body).to.include({ code: 'quota_exceeded' }).and.to.have.property('neededBytes')
    else expect(status).to.be.oneOf([201, 202])
    if (status === 403 || wanted.deleted === 'never') return status
    const path = `/v1/clips/${body.id}`
    if (wanted.deleted === 'at rest') await events.next('clip_stored', ({ data }) => data.clipId === body.id)
    expect((await share.call('DELETE', path, { token })).status).to.equal(200)
    return status
  }

  /** What the row says, and what the clips and files say. */
  async function sums() {
    const { rows } = await sql<Record<string, number>>`
      select q.used_bytes as used, q.reserved_bytes as reserved,
        (select coalesce(sum(size_bytes), 0)::bigint from replay_clips where file_id is not null) as files,
        (select coalesce(sum(reserved_bytes), 0)::bigint from replay_clips) as promised
      from user_quotas as q where q.user_id = ${USER}`.execute(share.service.db)
    return rows[0] ?? { used: 0, reserved: 0, files: 0, promised: 0 }
  }

  it('never drifts, and is never exceeded, under a hundred captures and deletions at once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 100, maxLength: 100 }), async (steps) => {
        // Room for about half of them.
        const limit = 1_200_000
        await sql`insert into user_quotas (user_id, limit_bytes) values (${USER}, ${limit})
          on conflict (user_id) do update set limit_bytes = ${limit}`.execute(share.service.db)
        const lives = Promise.all(steps.map(live))
        let isDone = false
        void lives.finally(() => (isDone = true)).catch(() => undefined)
        const look = async () => {
          const { used = 0, reserved = 0, files, promised } = await sums()
          expect({ used, reserved }).to.deep.equal({ used: files, reserved: promised })
          expect(used + reserved).to.be.within(0, limit)
          return isDone
        }
        await until('all of them', look, 40_000)
        const statuses = await lives
        expect(statuses).to.include(403)
        const { body } = await share.call('GET', '/v1/clips?limit=100', { token })
        for (const { id } of body.clips) await share.call('DELETE', `/v1/clips/${id}`, { token })
        expect(await sums()).to.deep.equal({ used: 0, reserved: 0, files: 0, promised: 0 })
        const quota = await share.call('GET', '/v1/quota', { token })
        expect(quota.body).to.include({ usedBytes: 0, remainingBytes: limit })
      }),
      { numRuns: 1, endOnFailure: true },
    )
  }).timeout(60_000)

  it('is reserved for what is still to land, before it lands', async () => {
    share.setClock(share.startedAtMs + 26_000)
    const options = { token, body: { lastSeconds: 6 }, headers: { prefer: 'respond-async' } }
    const { status, body } = await share.call('POST', `/v1/sessions/${share.sessionId}/clips`, options)
    expect([status, body.status]).to.deep.equal([202, 'waiting'])
    const { reserved = 0 } = await sums()
    await share.land({ from: 12, to: 14 })
    const ready = (await events.next('clip_ready', ({ data }) => data.clipId === body.id)).data.clip
    expect(ready.sizeBytes).to.be.within(reserved * 0.6, reserved * 1.4)
    await share.call('DELETE', `/v1/clips/${body.id}`, { token })
    expect(await sums()).to.deep.equal({ used: 0, reserved: 0, files: 0, promised: 0 })
  })
})
