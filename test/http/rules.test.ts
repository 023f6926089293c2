import { expect } from 'chai'
import { AccessToken } from 'livekit-server-sdk'
import { ROOM, startRecordedShare, USER, type RecordedShare } from '../support/recorded-share.ts'
import { memberToken, signWebhook } from '../support/service.ts'
import { until } from '../support/until.ts'

const SECOND = { key: 'second-key', secret: 'second-secret-second-secret-second-secret' }

describe('the rules of the API', () => {
  let share: RecordedShare
  let token: string

  before(async () => {
    token = await memberToken(USER, ROOM)
    const env = {
      LIVEKIT_KEYS: `${SECOND.key}: ${SECOND.secret}\n`,
      REPLAY_CAPTURES_PER_MINUTE: '6',
      REPLAY_CORS_ORIGINS: 'https://app.example.com',
      TRUST_PROXY: 'loopback',
    }
    share = await startRecordedShare('participant-stopped', { env })
    await share.land({ to: 12 })
    await until('the segments', async () => {
      const { body } = await share.call('GET', `/v1/sessions/${share.sessionId}`, { token })
      return body.coverage.coveredSeconds > 23
    })
    share.setClock(share.startedAtMs + 60_000)
  })
  after(() => share.stop())

  async function capture(who: string, more: object = {}, headers: Record<string, string> = {}) {
    const from = new Date(share.startedAtMs + 2000)
    const body = { from, to: new Date(from.getTime() + 2000), ...more }
    const backend = await signed({ video: { roomRecord: true } })
    const options = { token: backend, body: { ...body, userId: who }, headers }
    return share.call('POST', `/v1/sessions/${share.sessionId}/clips`, options)
  }

  async function signed({ identity, video }: { identity?: string; video: object }, key = SECOND): Promise<string> {
    const made = new AccessToken(key.key, key.secret, identity === undefined ? {} : { identity })
    made.addGrant(video)
    return made.toJwt()
  }

  it('take any of several API keys, for tokens and for webhooks', async () => {
    const second = await signed({ identity: USER, video: { room: ROOM, roomJoin: true } })
    expect((await share.call('GET', `/v1/sessions?room=${ROOM}`, { token: second })).status).to.equal(200)
    const body = JSON.stringify({ event: 'room_started', id: 'EV_second', room: { name: 'r', sid: 'RM_r' } })
    const webhook = new AccessToken(SECOND.key, SECOND.secret)
    const { createHash } = await import('node:crypto')
    webhook.sha256 = createHash('sha256').update(body).digest('base64')
    const deliver = (authorization: string) =>
      share.call('POST', '/webhooks/livekit', { headers: { authorization }, body })
    expect((await deliver(await webhook.toJwt())).status).to.equal(200)
    expect((await deliver(await signWebhook(body))).body).to.deep.equal({ effect: 'duplicate' })
    expect((await deliver(await signWebhook(body, SECOND.secret))).status).to.equal(401)
  })

  it('give one idempotency key to one request: with another it is 422', async () => {
    const headers = { 'idempotency-key': 'press-7' }
    const first = await capture('ida', {}, headers)
    const again = await capture('ida', {}, headers)
    expect([first.status, again.status, again.body.id]).to.deep.equal([201, 201, first.body.id])
    const other = await capture('ida', { title: 'another' }, headers)
    expect([other.status, other.body.code]).to.deep.equal([422, 'idempotency_key_reused'])
    const elses = await capture('irma', { title: 'another' }, headers)
    expect(elses.status).to.equal(201)
    const both = await Promise.all([1, 2].map(() => capture('ines', {}, headers)))
    expect(new Set(both.map(({ body }) => body.id)).size).to.equal(1)
  })

  it('allow a user six captures a minute, and say how many are left and when there are more', async () => {
    const first = await capture('rita')
    expect(first.headers.get('ratelimit-policy')).to.match(/^"captures"; q=6; w=60/)
    expect(first.headers.get('ratelimit')).to.match(/^"captures"; r=5; t=\d+/)
    for (let n = 2; n <= 6; n += 1) expect((await capture('rita')).status).to.equal(201)
    const seventh = await capture('rita')
    expect([seventh.status, seventh.body.code]).to.deep.equal([429, 'too_many_requests'])
    expect(Number(seventh.headers.get('retry-after'))).to.be.within(1, 60)
    expect(seventh.body.retryAfterSeconds).to.equal(Number(seventh.headers.get('retry-after')))
    expect((await capture('rosa')).status).to.equal(201)
  })

  it('lead through a library by a cursor that stays in its place while clips come and go', async () => {
    const mine = await memberToken('lea', ROOM)
    const ids: string[] = []
    for (let n = 0; n < 5; n += 1) ids.unshift((await capture('lea')).body.id)
    const page = async (query: string) => (await share.call('GET', `/v1/clips?limit=2${query}`, { token: mine })).body
    const first = await page('')
    await share.call('DELETE', `/v1/clips/${ids[0]}`, { token: mine })
    await capture('lea')
    const second = await page(`&cursor=${first.nextCursor}`)
    const third = await page(`&cursor=${second.nextCursor}`)
    const seen = [first, second, third].flatMap(({ clips }) => clips.map((clip: { id: string }) => clip.id))
    expect(seen).to.deep.equal(ids)
    expect([second.hasMore, third.hasMore, third.nextCursor]).to.deep.equal([true, false, null])
    for (const wrong of ['x', 'AAAA', Buffer.from('99999999999999999/x').toString('base64url')])
      expect((await share.call('GET', `/v1/clips?cursor=${wrong}`, { token: mine })).body.code).to.equal(
        'invalid_request',
      )
  })

  it('find clips by a part of their title, which means itself and nothing else', async () => {
    const mine = await memberToken('fay', ROOM)
    for (const title of ['100 % sure', '100 percent', 'a_b', 'aXb', 'back\\slash', 'ÄRGER'])
      await capture('fay', { title })
    await capture('fay')
    const find = async (title: string) => {
      const { body } = await share.call('GET', `/v1/clips?title=${encodeURIComponent(title)}`, { token: mine })
      expect(body.total).to.equal(body.clips.length)
      return body.clips.map((clip: { title: string }) => clip.title)
    }
    expect(await find('100')).to.deep.equal(['100 percent', '100 % sure'])
    expect(await find('0 %')).to.deep.equal(['100 % sure'])
    expect(await find('A_B')).to.deep.equal(['a_b'])
    expect(await find('k\\s')).to.deep.equal(['back\\slash'])
    expect(await find('ärger')).to.deep.equal(['ÄRGER'])
    expect(await find('%')).to.deep.equal(['100 % sure'])
    expect(await find('nothing of it')).to.deep.equal([])
  })

  it('take titles in any script, and make file names of them that every system takes', async () => {
    const mine = await memberToken('tina', ROOM)
    const { body } = await capture('tina')
    const path = `/v1/clips/${body.id}`
    const nameOf = async () => (await fetch(body.links.file, { method: 'HEAD' })).headers.get('content-disposition')
    expect(await nameOf()).to.match(/^inline; filename="tina \d{4}-\d\d-\d\d \d\d\.\d\d\.mp4"$/)
    const rename = (title: unknown) => share.call('PATCH', path, { token: mine, body: { title } })
    const longest = '🎬'.repeat(200)
    for (const title of ['Das Tor', '得点', 'هدف', '🎬 1:0', 'a/b\\c"d', longest]) {
      expect((await rename(title)).body.title).to.equal(title)
      expect(await nameOf(), title).to.match(
        /^inline; filename=("[^"\\/]*"|[\w.-]+)(; filename\*=UTF-8''[\w%.!#$&+^`|~-]+)?$/,
      )
    }
    for (const title of ['', ' ', '\t', '\u0000', 'a\nb', `${longest}x`, 7])
      expect((await rename(title)).body.code, JSON.stringify(title)).to.equal('invalid_request')
    expect((await rename(null)).body.title).to.equal(null)
  })

  it('name every field that they do not know', async () => {
    const { body } = await capture('uma', { colour: 'red', size: 'large' })
    expect(body.code).to.equal('invalid_request')
    expect(body.errors.map(({ field }: { field: string }) => field)).to.have.members(['colour', 'size'])
  })

  it('let only the origins that are named call from a browser', async () => {
    const ask = (origin: string, method = 'OPTIONS') =>
      fetch(`${share.url}/v1/clips`, {
        method,
        headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' },
      })
    const allowed = await ask('https://app.example.com')
    expect([allowed.status, allowed.headers.get('access-control-allow-origin')]).to.deep.equal([
      204,
      'https://app.example.com',
    ])
    expect(allowed.headers.get('access-control-allow-headers')).to.match(/authorization/)
    expect((await ask('https://evil.example.com')).headers.get('access-control-allow-origin')).to.equal(null)
    const refused = await ask('https://app.example.com', 'GET')
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).to.deep.equal([
      401,
      'https://app.example.com',
    ])
  })

  it('say which methods a path takes, to who asks and to who uses another', async () => {
    const options = await share.call('OPTIONS', '/v1/clips')
    expect([options.status, options.headers.get('allow')]).to.deep.equal([204, 'POST, GET, HEAD'])
    const wrong = await share.call('PATCH', '/v1/clips', { token })
    expect([wrong.status, wrong.body.code, wrong.headers.get('allow')]).to.deep.equal([
      405,
      'method_not_allowed',
      'POST,GET,HEAD',
    ])
  })

  it('believe X-Forwarded headers only of a proxy that is trusted', async () => {
    const headers = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'replay.example.com' }
    const trusted = await share.call('GET', `/v1/sessions/${share.sessionId}`, { token, headers })
    expect(trusted.body.links.poster).to.match(/^https:\/\/replay\.example\.com\//)
    const other = await startRecordedShare()
    try {
      const plain = await other.call('GET', `/v1/sessions/${other.sessionId}`, { token, headers })
      expect(plain.body.links.poster.startsWith(other.url)).to.equal(true)
    } finally {
      await other.stop()
    }
  })
})
