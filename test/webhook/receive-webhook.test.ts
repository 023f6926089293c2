import { randomUUID } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { sql } from 'kysely'
import { expect } from 'chai'
import { API_SECRET, signWebhook, startTestService, type TestService } from '../support/service.ts'
import { readWebhooks, startTwirpStub } from '../support/recording.ts'
import { until } from '../support/until.ts'

const FIXTURES = new URL('../../webhook-fixtures/', import.meta.url)

/** Tables whose rows may hold something that came from outside. */
const TABLES = ['webhook_events', 'shares', 'share_spans', 'egress_sessions', 'graphile_worker._private_jobs']

describe("LiveKit's door", () => {
  let test: TestService
  let stopLivekit: () => Promise<void>

  before(async () => {
    const livekit = await startTwirpStub({})
    stopLivekit = livekit.stop
    test = await startTestService({ livekitUrl: livekit.url })
  })
  after(async () => {
    await test.stop()
    await stopLivekit()
  })

  const event = (fields: object) => JSON.stringify({ createdAt: String(Math.floor(Date.now() / 1000)), ...fields })
  const published = (name: string) =>
    event({
      event: 'track_published',
      room: { sid: `RM_${name}`, name },
      participant: { sid: `PA_${name}`, identity: 'alice' },
      track: { sid: `TR_${name}`, type: 'VIDEO', source: 'SCREEN_SHARE' },
      id: `EV_${name}`,
    })
  const rows = async (id: string) =>
    test.service.db.selectFrom('webhook_events').selectAll().where('id', '=', id).execute()

  it('takes every event of every recording, once, and keeps no secret of any', async () => {
    const secrets = new Set<string>([API_SECRET])
    let count = 0
    for (const file of await readdir(FIXTURES)) {
      for (const { body, authorization } of await readWebhooks(file.replace('.jsonl', ''))) {
        const { status } = await test.deliver(body)
        expect(status, body).to.equal(200)
        const again = await test.deliver(body)
        expect(again.body).to.deep.equal({ effect: 'duplicate' })
        secrets.add(authorization)
        for (const [, password = ''] of body.matchAll(/"turnPassword":"([^"]+)"/g)) secrets.add(password)
        count += 1
      }
    }
    expect(count).to.equal(70)
    expect(secrets.size).to.be.greaterThan(70)
    const { rows: dumps } = await sql<{ dump: string }>`
      select string_agg(kept.row, ' ') as dump from (${sql.join(
        TABLES.map((table) => sql`select t::text as row from ${sql.raw(table)} t`),
        sql` union all `,
      )}) as kept`.execute(test.service.db)
    const kept = (dumps[0]?.dump ?? '') + JSON.stringify(test.lines)
    expect(kept).to.contain('stage-1')
    for (const secret of secrets) expect(kept.includes(secret), secret).to.equal(false)
    expect(kept).to.not.match(/turnPassword|eyJhbGciOi/)
  })

  it('takes an event that it has never heard of, and one with fields that it does not know', async () => {
    const unknown = event({ event: 'hologram_published', room: { name: 'r', mood: 'good' }, id: 'EV_unknown' })
    expect((await test.deliver(unknown)).body).to.deep.equal({ effect: 'ignored' })
    expect((await rows('EV_unknown'))[0]).to.include({ event: 'hologram_published', room: 'r' })
  })

  it('refuses what cannot be, and keeps text that Postgres would not: found by fuzzing', async () => {
    const egressInfo = { egressId: 'EG_x', segments: null }
    for (const body of [
      event({ event: 'room_started', id: 'EV_far', createdAt: '9'.repeat(18) }),
      event({ event: 'room_started', id: 'EV_nul', room: { sid: 'RM_n', name: 'a\0b' } }),
      event({ event: 'egress_updated', id: 'EV_half', egressInfo }),
    ]) {
      const { status, body: answer } = await test.deliver(body)
      expect({ status, code: answer.code }, body).to.deep.equal({ status: 400, code: 'invalid_request' })
    }
    const metadata = 'a\0b'
    await test.deliver(event({ event: 'room_started', id: 'EV_text', room: { sid: 'RM_t', name: 't', metadata } }))
    expect(JSON.stringify((await rows('EV_text'))[0]?.body)).to.contain('a\ufffdb')
  })

  it('notes the room of an egress event, which carries none', async () => {
    const egressInfo = { egressId: 'EG_x', roomName: 'the room' }
    await test.deliver(event({ event: 'egress_started', egressInfo, id: 'EV_egress' }))
    expect((await rows('EV_egress'))[0]?.room).to.equal('the room')
  })

  it('does once what is delivered two hundred times at once', async () => {
    const body = published('crowded')
    const answers = await Promise.all(Array.from({ length: 200 }, () => test.deliver(body)))
    expect(new Set(answers.map(({ status }) => status))).to.deep.equal(new Set([200]))
    const effects = answers.map(({ body: answer }) => answer.effect as string)
    expect(effects.filter((effect) => effect === 'session_created')).to.have.length(1)
    expect(effects.filter((effect) => effect === 'duplicate')).to.have.length(199)
    const sessions = test.service.db.selectFrom('egress_sessions').selectAll().where('room', '=', 'crowded')
    expect(await sessions.execute()).to.have.length(1)
  })

  it('commits many at once, of which one that the database refuses fails alone', async () => {
    // Too long for an index, and not to be made shorter.
    const refused = `EV_${Array.from({ length: 3000 }, () => randomUUID()).join('')}`
    const ids = Array.from({ length: 60 }, (_, n) => (n === 30 ? refused : `EV_class_${Math.floor(n / 2)}`))
    const answers = await Promise.all(ids.map(async (id) => test.deliver(event({ event: 'participant_joined', id }))))
    const outcomes = answers.map(({ status, body }, n) => (n === 30 || n === 31 ? status : body.effect))
    expect(outcomes.slice(30, 32)).to.deep.equal([500, 200])
    const others = outcomes.toSpliced(30, 2).map(String).toSorted()
    expect(others).to.deep.equal([...Array(29).fill('duplicate'), ...Array(29).fill('ignored')])
    const { count } = await test.service.db
      .selectFrom('webhook_events')
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .where('id', 'like', 'EV_class_%')
      .executeTakeFirstOrThrow()
    expect(count).to.equal(30)
  })

  it('refuses what is not signed, signed with another secret, or for another body, and keeps nothing of it', async () => {
    const body = published('forged')
    expect((await test.deliver(body, { secret: 'another secret that is not ours' })).body.code).to.equal(
      'bad_signature',
    )
    const authorization = await signWebhook(body)
    for (const [wrong, headers] of [
      [body, {}],
      [body, { authorization: `Bearer ${authorization}` }],
      [body.replace('alice', 'mallory'), { authorization }],
    ] as const)
      expect((await test.call('POST', '/webhooks/livekit', { headers, body: wrong })).status).to.equal(401)
    expect(await rows('EV_forged')).to.deep.equal([])
  })

  it('answers 503 while the database is away, and does it when LiveKit tries again', async () => {
    const body = published('patience')
    await test.database.cutOff()
    const away = await test.deliver(body)
    expect(away.status).to.equal(503)
    expect(away.headers.get('retry-after')).to.equal('1')
    await test.database.allow()
    const taken = await until('the database', async () => {
      const answer = await test.deliver(body)
      return answer.status === 200 && answer
    })
    expect(taken.body).to.deep.equal({ effect: 'session_created' })
  })

  it('takes a body of 4 MiB, and refuses a larger one with 413', async () => {
    const large = (bytes: number) =>
      event({
        event: 'participant_joined',
        participant: { sid: 'PA_l', metadata: 'x'.repeat(bytes) },
        id: `EV_${bytes}`,
      })
    expect((await test.deliver(large(4 * 1024 * 1024 - 500))).status).to.equal(200)
    expect((await test.deliver(large(4 * 1024 * 1024))).status).to.equal(413)
  })
})
