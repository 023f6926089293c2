import { expect } from 'chai'
import { sql } from 'kysely'
import { AccessToken } from 'livekit-server-sdk'
import { openEvents, type OpenEvents } from '../support/events.ts'
import { ROOM, startRecordedShare, USER, type RecordedShare } from '../support/recorded-share.ts'
import { adminToken, API_KEY, API_SECRET, backendToken, memberToken, startTestService } from '../support/service.ts'
import { until } from '../support/until.ts'
import { DOCUMENT } from './api.ts'

describe('the stream of events', () => {
  let share: RecordedShare
  let token: string
  const open: OpenEvents[] = []

  beforeEach(async () => {
    token = await memberToken(USER, ROOM)
    share = await startRecordedShare()
    await share.land({ to: 6 })
    await until('the segments', async () => {
      const { body } = await share.call('GET', `/v1/sessions/${share.sessionId}`, { token })
      return body.coverage.coveredSeconds > 11
    })
    share.setClock(share.startedAtMs + 60_000)
  })
  afterEach(async () => {
    for (const events of open.splice(0)) await events.close()
    await share.stop()
  })

  async function follow(who: string, options: { lastEventId?: string; url?: string } = {}): Promise<OpenEvents> {
    const events = await openEvents(options.url ?? share.url, who, options.lastEventId)
    open.push(events)
    if (options.lastEventId === undefined) await events.next('hello')
    return events
  }

  async function capture(offsetMs = 2000) {
    const from = new Date(share.startedAtMs + offsetMs)
    const body = { from, to: new Date(from.getTime() + 2000) }
    return (await share.call('POST', `/v1/sessions/${share.sessionId}/clips`, { token, body })).body
  }

  it('tells a clip to its owner, its room’s admin and a backend, a session to its room, and neither to anybody else', async () => {
    const alice = await follow(token)
    const admin = await follow(await adminToken('mod', ROOM))
    const backend = await follow(await backendToken())
    const bob = await follow(await memberToken('bob', ROOM))
    const stranger = await follow(await memberToken('carol', 'another-room'))
    const clip = await capture()
    for (const events of [alice, admin, backend]) await events.next('clip_stored')
    await share.call('DELETE', `/v1/clips/${clip.id}`, { token })
    await share.call('DELETE', `/v1/sessions/${share.sessionId}`, { token })
    await share.tell('track_unpublished', 'egress_ended')
    for (const events of [alice, admin, backend, bob]) await events.next('session_purged')
    const clipEvents = ['clip_ready', 'clip_stored', 'clip_deleted']
    expect(alice.names()).to.include.members(['hello', ...clipEvents, 'session_ended', 'session_purged'])
    for (const events of [admin, backend]) expect(events.names()).to.deep.equal(alice.names())
    expect(bob.names().filter((name) => name.startsWith('clip'))).to.deep.equal([])
    expect(stranger.names()).to.deep.equal(['hello'])
  })

  it('holds the clip or the session as it is, in the form that is described', async () => {
    const alice = await follow(token)
    const clip = await capture()
    const { data } = await alice.next('clip_ready')
    const wanted = await share.call('GET', `/v1/clips/${clip.id}`, { token })
    expect(data).to.include({ event: 'clip_ready', room: ROOM, userId: USER, clipId: clip.id })
    expect(data.clip).to.have.keys(Object.keys(wanted.body))
    expect((await fetch(data.clip.links.file, { method: 'HEAD' })).status).to.equal(200)
    const { schemas } = DOCUMENT['components'] as { schemas: Record<string, { required: string[] }> }
    expect(data).to.include.keys(schemas['Event']?.required ?? [])
  })

  it('tells of a clip that waits, and of one that comes to nothing', async () => {
    const alice = await follow(token)
    const headers = { prefer: 'respond-async' }
    const { body } = await share.call('POST', `/v1/sessions/${share.sessionId}/clips`, {
      token,
      headers,
      body: { lastSeconds: 5 },
    })
    await alice.next('clip_waiting', ({ data }) => data.clip.status === 'waiting')
    await share.tell('track_unpublished', 'egress_ended')
    const { data } = await alice.next('clip_failed')
    expect(data.clip).to.include({ id: body.id, status: 'failed', error: 'nothing of the range was recorded' })
  })

  it('goes on after Last-Event-ID: what was missed is told, once and in order', async () => {
    const first = await follow(token)
    await capture()
    const { id = '' } = await first.next('clip_ready')
    await first.next('clip_stored')
    await first.close()
    const missed = await capture(3000)
    await until('it at rest', async () => (await share.call('GET', `/v1/clips/${missed.id}`, { token })).body.stored)
    const second = await follow(token, { lastEventId: id })
    await second.next('clip_stored', ({ data }) => data.clipId === missed.id)
    expect(second.names()).to.deep.equal(['clip_stored', 'clip_ready', 'clip_stored'])
    const ids = second.seen.map((event) => Number(event.id))
    expect(ids).to.deep.equal(ids.toSorted((a, b) => a - b))
  })

  it('says reset when what was missed is too long ago', async () => {
    const first = await follow(token)
    const { id = '' } = await first.next('hello')
    await capture()
    // From here on this instance has handed it out: it is not news to who comes now.
    await first.next('clip_ready')
    await first.close()
    await sql`update events set created_at = now() - interval '6 minutes'`.execute(share.service.db)
    const second = await follow(token, { lastEventId: id })
    await second.next('reset')
    const again = await capture(3000)
    await second.next('clip_ready', ({ data }) => data.clipId === again.id)
    expect(second.names().filter((name) => name === 'clip_ready')).to.have.length(1)
    const wrong = await share.call('GET', '/v1/events', { token, headers: { 'last-event-id': 'yesterday' } })
    expect(wrong.body.code).to.equal('invalid_request')
  })

  it('tells what happened on another instance, and misses nothing of much at once', async () => {
    const { database, config, clock } = share
    const { dataPath } = config
    const other = await startTestService({ livekitUrl: config.livekit.url, database, dataPath, clock })
    try {
      const elsewhere = await follow(token, { url: other.url })
      const here = await follow(token)
      const made = await Promise.all(Array.from({ length: 20 }, (_, i) => capture(1000 + i * 100)))
      const ready = (events: OpenEvents) => events.seen.filter(({ event }) => event === 'clip_ready')
      for (const events of [elsewhere, here]) {
        await until('all of them', () => ready(events).length === 20)
        expect(ready(events).map(({ data }) => data.clipId)).to.have.members(made.map(({ id }) => id))
        const ids = events.seen.map(({ id }) => Number(id))
        expect(ids).to.deep.equal(ids.toSorted((a, b) => a - b))
      }
    } finally {
      for (const events of open.splice(0)) await events.close()
      await other.stop()
    }
  })

  it('goes on when the database was away', async () => {
    const alice = await follow(token)
    await share.database.cutOff()
    await share.database.allow()
    const clip = await until('a capture', async () => {
      const answer = await capture()
      return answer.id !== undefined && answer
    })
    await alice.next('clip_ready', ({ data }) => data.clipId === clip.id)
  })

  it('ends with its token, and at once when the service stops', async () => {
    const short = new AccessToken(API_KEY, API_SECRET, { identity: USER, ttl: 1 })
    short.addGrant({ room: ROOM, roomJoin: true })
    const ending = await follow(await short.toJwt())
    await ending.ended
    const alice = await follow(token)
    const startedAt = Date.now()
    await share.restart()
    await alice.ended
    expect(Date.now() - startedAt).to.be.below(4500)
  })
})
