import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { expect } from 'chai'
import { ROOM, startRecordedShare, USER, type RecordedShare } from '../support/recorded-share.ts'
import { memberToken } from '../support/service.ts'
import { until } from '../support/until.ts'

describe('the clips of a user', () => {
  let share: RecordedShare
  let token: string

  before(async () => {
    token = await memberToken(USER, ROOM)
    share = await startRecordedShare()
    await share.land({ to: 20 })
    await until('the segments', async () => {
      const { body } = await share.call('GET', `/v1/sessions/${share.sessionId}`, { token })
      return body.coverage.coveredSeconds > 35
    })
    share.setClock(share.startedAtMs + 60_000)
  })
  after(() => share.stop())

  async function capture(fromSeconds: number, seconds: number, headers: Record<string, string> = {}, more = {}) {
    const from = new Date(share.startedAtMs + fromSeconds * 1000)
    const body = { from, to: new Date(from.getTime() + seconds * 1000), ...more }
    return share.call('POST', `/v1/sessions/${share.sessionId}/clips`, { token, body, headers })
  }

  const stored = (id: string) =>
    until('the clip at rest', async () => {
      const { body } = await share.call('GET', `/v1/clips/${id}`, { token })
      return body.stored && body
    })

  it('come back as the design says, finished', async () => {
    const { status, headers, body } = await capture(3, 4, {}, { title: 'Ein Moment' })
    expect(status).to.equal(201)
    expect(headers.get('location')).to.equal(`/v1/clips/${body.id}`)
    expect(body).to.include({ clipId: body.id, sessionId: share.sessionId, userId: USER, status: 'ready' })
    expect(body).to.include({ title: 'Ein Moment', communityId: null, error: null })
    expect(body.durationSeconds).to.be.closeTo(4, 0.07)
    expect(Date.parse(body.to) - Date.parse(body.from)).to.be.closeTo(body.durationSeconds * 1000, 1)
    expect(body.coverage).to.deep.include({ complete: true, gaps: [], clock: 'measured' })
    expect(body.sizeBytes).to.be.greaterThan(10_000)
  })

  it('are as large, and hash to, what is downloaded, and lie under the hash of their owner', async () => {
    const { body } = await capture(5, 3)
    const clip = await stored(body.id)
    const bytes = Buffer.from(await (await fetch(clip.links.file)).arrayBuffer())
    expect(bytes.length).to.equal(clip.sizeBytes)
    expect(createHash('sha256').update(bytes).digest('hex')).to.equal(clip.sha256)
    const files = await readdir(share.config.storagePath, { recursive: true })
    expect(files).to.include(`${createHash('sha256').update(USER).digest('hex').slice(0, 24)}/${clip.id}.mp4`)
    expect(files.filter((name) => name.includes(USER))).to.deep.equal([])
  })

  it('are listed newest first, in pages', async () => {
    const made = await capture(8, 2)
    const first = await share.call('GET', '/v1/clips?limit=2', { token })
    expect(first.body.clips[0].id).to.equal(made.body.id)
    expect(first.body).to.include({ hasMore: true })
    const second = await share.call('GET', `/v1/clips?limit=2&offset=${first.body.total - 1}`, { token })
    expect(second.body.clips).to.have.length(1)
    expect(second.body).to.include({ hasMore: false, total: first.body.total })
    expect((await share.call('GET', '/v1/clips?limit=0', { token })).status).to.equal(400)
    const others = await share.call('GET', '/v1/clips', { token: await memberToken('bob', ROOM) })
    expect(others.body).to.deep.equal({ clips: [], total: 0, hasMore: false, nextCursor: null })
  })

  it('are made once for one idempotency key, also when asked for twice at once', async () => {
    const headers = { 'idempotency-key': 'press-1' }
    const [one, two] = await Promise.all([capture(9, 2, headers), capture(9, 2, headers)])
    const three = await capture(9, 2, headers)
    expect(new Set([one.body.id, two.body.id, three.body.id]).size).to.equal(1)
    const rows = await share.service.db
      .selectFrom('replay_clips')
      .where('idempotency_key', '=', 'press-1')
      .selectAll()
      .execute()
    expect(rows).to.have.length(1)
  })

  it('are renamed, by their owner only', async () => {
    const { body } = await capture(10, 2)
    const path = `/v1/clips/${body.id}`
    const renamed = await share.call('PATCH', path, { token, body: { title: '一瞬' } })
    expect(renamed.body.title).to.equal('一瞬')
    const bob = await memberToken('bob', ROOM)
    expect((await share.call('PATCH', path, { token: bob, body: { title: 'mine' } })).status).to.equal(403)
    expect((await share.call('PATCH', path, { token, body: { title: '' } })).status).to.equal(400)
    expect((await share.call('GET', path, { token })).body.title).to.equal('一瞬')
  })

  it('are gone when deleted, with their file and their share of the quota', async () => {
    const { body } = await capture(11, 2)
    const clip = await stored(body.id)
    const before = await share.call('GET', '/v1/quota', { token })
    const deleted = await share.call('DELETE', `/v1/clips/${clip.id}`, { token })
    expect(deleted.body).to.deep.equal({
      freedBytes: clip.sizeBytes,
      remainingQuotaBytes: before.body.remainingBytes + clip.sizeBytes,
    })
    expect((await share.call('GET', `/v1/clips/${clip.id}`, { token })).status).to.equal(404)
    expect((await fetch(clip.links.file)).status).to.equal(404)
    const files = await readdir(share.config.storagePath, { recursive: true })
    expect(files.filter((name) => name.includes(clip.id))).to.deep.equal([])
  })

  it('count towards a quota that is the sum of their files', async () => {
    const { body: list } = await share.call('GET', '/v1/clips?limit=100', { token })
    await Promise.all(list.clips.map((clip: { id: string }) => stored(clip.id)))
    const sum = list.clips.reduce((bytes: number, clip: { sizeBytes: number }) => bytes + clip.sizeBytes, 0)
    const quota = await share.call('GET', '/v1/quota', { token })
    const limitBytes = share.config.quotaBytes
    expect(quota.body).to.deep.equal({ usedBytes: sum, limitBytes, remainingBytes: limitBytes - sum })
    const row = await share.service.db.selectFrom('user_quotas').selectAll().executeTakeFirstOrThrow()
    expect(row).to.include({ used_bytes: sum, reserved_bytes: 0 })
  })

  describe('are downloaded', () => {
    let link: string
    let bytes: Buffer
    let etag: string

    before(async () => {
      const { body } = await capture(12, 4)
      link = body.links.file
      const whole = await fetch(link)
      bytes = Buffer.from(await whole.arrayBuffer())
      etag = whole.headers.get('etag') ?? ''
    })

    const get = async (headers: Record<string, string>, method = 'GET') => {
      const answer = await fetch(link, { method, headers })
      return { answer, body: Buffer.from(await answer.arrayBuffer()) }
    }

    it('with a strong ETag, a length, a type and a good name', async () => {
      const { answer } = await get({})
      expect(etag).to.match(/^"[^"]+"$/)
      expect(answer.headers.get('content-type')).to.equal('video/mp4')
      expect(answer.headers.get('accept-ranges')).to.equal('bytes')
      expect(answer.headers.get('content-length')).to.equal(String(bytes.length))
      expect(answer.headers.get('content-disposition')).to.match(
        /^inline; filename="alice \d{4}-\d\d-\d\d \d\d\.\d\d\.mp4"$/,
      )
      const download = await fetch(`${link}&download=1`, { method: 'HEAD' })
      expect(download.headers.get('content-disposition')).to.match(/^attachment/)
    })

    it('in any range, from segments and from the file alike', async () => {
      const look = async () => {
        for (const [range, from, to] of [
          ['bytes=0-0', 0, 1],
          ['bytes=100-199', 100, 200],
          [`bytes=${bytes.length - 5}-`, bytes.length - 5, bytes.length],
          ['bytes=-7', bytes.length - 7, bytes.length],
          [`bytes=5-${bytes.length * 2}`, 5, bytes.length],
        ] as const) {
          const { answer, body } = await get({ range })
          expect(answer.status, range).to.equal(206)
          expect(answer.headers.get('content-range')).to.equal(`bytes ${from}-${to - 1}/${bytes.length}`)
          expect(body.equals(bytes.subarray(from, to)), range).to.equal(true)
        }
      }
      await look()
      await stored(/clips\/([^/]+)/.exec(link)?.[1] ?? '')
      await look()
    })

    it('not beyond their end: 416 says how long they are', async () => {
      const { answer } = await get({ range: `bytes=${bytes.length}-` })
      expect(answer.status).to.equal(416)
      expect(answer.headers.get('content-range')).to.equal(`bytes */${bytes.length}`)
    })

    it('whole when If-Range names other bytes, in part when it names these, not at all when they are there already', async () => {
      expect((await get({ range: 'bytes=0-9', 'if-range': '"other"' })).answer.status).to.equal(200)
      expect((await get({ range: 'bytes=0-9', 'if-range': etag })).answer.status).to.equal(206)
      const { answer, body } = await get({ 'if-none-match': etag })
      expect({ status: answer.status, length: body.length }).to.deep.equal({ status: 304, length: 0 })
      const head = await get({}, 'HEAD')
      expect(head.answer.headers.get('content-length')).to.equal(String(bytes.length))
      expect(head.body).to.have.length(0)
    })

    it('with the link alone, and not when the link was changed, is for another clip, or is an hour old', async () => {
      expect((await fetch(link.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')))).status).to.equal(401)
      expect((await fetch(link.replace(/\?.*/, ''))).status).to.equal(401)
      const other = (await capture(14, 2)).body.links.file as string
      expect((await fetch(other.replace(/\?.*/, link.replace(/.*\?/, '?')))).status).to.equal(401)
      share.clock.offsetMs += 3_900_000
      expect((await fetch(link)).status).to.equal(401)
      share.clock.offsetMs -= 3_900_000
    })
  })
})
