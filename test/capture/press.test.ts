import { stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import ffmpegInstaller from '@ffmpeg-installer/ffmpeg'
import { expect } from 'chai'
import { readPictureClock } from '../../src/simulator/picture-clock.ts'
import { ROOM, startRecordedShare, USER, type RecordedShare } from '../support/recorded-share.ts'
import { memberToken, type Answer } from '../support/service.ts'
import { until } from '../support/until.ts'

/** Of a share whose segments land when the test says so: segment n ends 2 (n + 1) s after the start. */
describe('a press', () => {
  let share: RecordedShare
  let token: string

  beforeEach(async () => {
    token = await memberToken(USER, ROOM)
    share = await startRecordedShare()
    await share.land({ to: 5 })
    await landed(9.9)
  })
  afterEach(() => share.stop())

  const session = async () => (await share.call('GET', `/v1/sessions/${share.sessionId}`, { token })).body
  const landed = (seconds: number) =>
    until('the segments', async () => (await session()).coverage.coveredSeconds > seconds)

  /** Presses as if the share had run for so many seconds. */
  function press(seconds: number, body: unknown, headers: Record<string, string> = {}, query = ''): Promise<Answer> {
    share.setClock(share.startedAtMs + seconds * 1000)
    return share.call('POST', `/v1/sessions/${share.sessionId}/clips${query}`, { token, body, headers })
  }

  const clipOf = async (id: string) => (await share.call('GET', `/v1/clips/${id}`, { token })).body

  async function framesOf(url: string) {
    const file = join(share.config.dataPath, 'clip.mp4')
    await writeFile(file, Buffer.from(await (await fetch(url)).arrayBuffer()))
    return readPictureClock(ffmpegInstaller.path, file)
  }

  it('is answered when the segment that holds it has landed, with the moment of the press in the clip', async () => {
    const answer = press(11.5, { lastSeconds: 6 })
    await until('the clip', async () => {
      const { body } = await share.call('GET', '/v1/clips', { token })
      return body.clips[0]?.status === 'waiting'
    })
    await share.land({ from: 5, to: 6 })
    const { status, body } = await answer
    expect(status).to.equal(201)
    expect(body.coverage).to.include({ complete: true })
    const frames = await framesOf(body.links.file)
    expect(frames.at(-1)?.wallMs).to.be.closeTo(share.startedAtMs + 11_500, 100)
    expect(frames[0]?.wallMs).to.be.closeTo(share.startedAtMs + 5_500, 100)
  })

  it('is answered at once with respond-async, its playlist plays and grows, and the file follows', async () => {
    const { status, headers, body } = await press(11.9, { lastSeconds: 8 }, { prefer: 'respond-async' })
    expect({ status, applied: headers.get('preference-applied') }).to.deep.equal({
      status: 202,
      applied: 'respond-async',
    })
    expect(body.status).to.equal('waiting')
    const playlist = async () => (await fetch(body.links.playlist)).text()
    const early = await playlist()
    expect(early).to.match(/#EXT-X-PLAYLIST-TYPE:EVENT/)
    expect(early).not.to.match(/#EXT-X-ENDLIST/)
    const entries = (text: string) => text.split('\n').filter((line) => line.startsWith('fragment-'))
    expect(entries(early).length).to.be.greaterThan(1)
    const first = await fetch(new URL(entries(early)[0] ?? '', body.links.playlist))
    const firstBytes = Buffer.from(await first.arrayBuffer())

    await share.land({ from: 5, to: 6 })
    await until('the clip', async () => (await clipOf(body.id)).status === 'ready')
    const done = await playlist()
    expect(done).to.match(/#EXT-X-ENDLIST/)
    expect(entries(done).slice(0, entries(early).length)).to.deep.equal(entries(early))
    const again = await fetch(new URL(entries(done)[0] ?? '', body.links.playlist))
    expect(Buffer.from(await again.arrayBuffer()).equals(firstBytes)).to.equal(true)
    const stored = await until('the clip at rest', async () => {
      const clip = await clipOf(body.id)
      return clip.stored && clip
    })
    expect(await playlist()).to.equal(done)
    const frames = await readPictureClock(ffmpegInstaller.path, stored.links.playlist)
    expect(frames.at(-1)?.wallMs).to.be.closeTo(share.startedAtMs + 11_900, 100)
  })

  it('is answered after the seconds that it would wait for, and is finished all the same', async () => {
    const none = await press(11.5, { lastSeconds: 6 }, { prefer: 'wait=0' })
    expect([none.status, none.body.status]).to.deep.equal([202, 'waiting'])
    expect(none.headers.get('preference-applied')).to.equal(null)
    const pressedAt = performance.now()
    const second = await press(11.6, { lastSeconds: 6 }, { prefer: 'wait=1' })
    expect([second.status, second.body.status]).to.deep.equal([202, 'waiting'])
    expect(performance.now() - pressedAt).to.be.within(950, 4000)

    const patient = press(11.7, { lastSeconds: 6 }, { prefer: 'wait=60' })
    await until('all three', async () => (await share.call('GET', '/v1/clips', { token })).body.total === 3)
    await share.land({ from: 5, to: 6 })
    const third = await patient
    expect([third.status, third.body.status]).to.deep.equal([201, 'ready'])
    for (const { body } of [none, second])
      await until('the clip', async () => (await clipOf(body.id)).status === 'ready')
  })

  it('gets what has landed when its deadline comes, and is told what had not', async () => {
    const pressedAt = performance.now()
    const { status, body } = await press(13, { lastSeconds: 6 }, { prefer: 'respond-async' })
    expect(status).to.equal(202)
    const clip = await until('the deadline', async () => {
      const found = await clipOf(body.id)
      return found.status === 'ready' && found
    })
    // Two segments of 2 s, and 3 s.
    expect(performance.now() - pressedAt).to.be.within(6500, 12_000)
    expect(clip.coverage).to.include({ complete: false })
    expect(clip.coverage.gaps.map((gap: { reason: string }) => gap.reason)).to.deep.equal(['not_yet'])
    expect(clip.durationSeconds).to.be.closeTo(3, 0.1)
  }).timeout(20_000)

  it('after the share ended does not wait', async () => {
    share.setClock(share.startedAtMs + 9_500)
    await share.tell('track_unpublished')
    const { status, body } = await press(60, { lastSeconds: 55 })
    expect(status).to.equal(201)
    const gaps = body.coverage.gaps as { reason: string }[]
    expect(gaps.at(-1)?.reason).to.equal('unshared')
    expect(body.durationSeconds).to.be.within(3, 10)
    // Also when its deadline has not come, which is 7 s after the press.
    const { status: accepted, body: soon } = await press(11, { lastSeconds: 6 }, { prefer: 'respond-async' })
    expect([accepted, soon.status]).to.deep.equal([202, 'ready'])
  })

  it('waits no longer than its session: when that has ended, what landed is all there is', async () => {
    const pressedAt = Date.now()
    const answer = press(11.5, { lastSeconds: 6 })
    await until('the clip', async () => {
      const { body } = await share.call('GET', '/v1/clips', { token })
      return body.clips[0]?.status === 'waiting'
    })
    await share.tell('egress_ended')
    const { status, body } = await answer
    expect({ status, complete: body.coverage.complete }).to.deep.equal({ status: 201, complete: false })
    expect(Date.now() - pressedAt).to.be.lessThan(6000)
  })

  it('with exact=true is refused when something is missing, and taken when nothing is', async () => {
    const gone = await press(
      300,
      { from: new Date(share.startedAtMs - 5000), to: new Date(share.startedAtMs + 5000) },
      {},
      '?exact=true',
    )
    expect({ status: gone.status, code: gone.body.code }).to.deep.equal({ status: 422, code: 'range_not_recorded' })
    expect(gone.body.coverage.complete).to.equal(false)
    const clips = await share.call('GET', '/v1/clips', { token })
    expect(clips.body.total).to.equal(0)
    const from = new Date(share.startedAtMs + 3000)
    const kept = await press(300, { from, to: new Date(from.getTime() + 3000) }, {}, '?exact=true')
    expect(kept.status).to.equal(201)
  })

  it('with exact=true fails after its wait when something is missing, and holds on to nothing', async () => {
    const answer = press(11.5, { lastSeconds: 6 }, {}, '?exact=true')
    const waiting = await until('the clip', async () => {
      const { body } = await share.call('GET', '/v1/clips', { token })
      return body.clips[0]?.status === 'waiting' && body.clips[0]
    })
    await share.tell('egress_ended')
    const { status, body } = await answer
    expect([status, body.code, body.clipId]).to.deep.equal([422, 'range_not_recorded', waiting.id])
    expect(body.coverage).to.include({ complete: false })
    expect(await clipOf(waiting.id)).to.include({ status: 'failed' })
    expect(await share.service.db.selectFrom('clip_segments').selectAll().execute()).to.deep.equal([])
    const quota = await share.service.db.selectFrom('user_quotas').selectAll().executeTakeFirstOrThrow()
    expect(quota).to.include({ used_bytes: 0, reserved_bytes: 0 })
  })

  it('can be taken back while it waits: nothing is left of it', async () => {
    const { body } = await press(11.5, { lastSeconds: 6 }, { prefer: 'respond-async' })
    expect((await share.call('DELETE', `/v1/clips/${body.id}`, { token })).status).to.equal(200)
    await share.land({ from: 5, to: 6 })
    await landed(11.5)
    for (const table of ['replay_clips', 'clip_segments', 'files'] as const)
      expect(await share.service.db.selectFrom(table).selectAll().execute()).to.deep.equal([])
    const quota = await share.service.db.selectFrom('user_quotas').selectAll().executeTakeFirstOrThrow()
    expect(quota).to.include({ used_bytes: 0, reserved_bytes: 0 })
  })

  it('is not lost when the client hangs up', async () => {
    share.setClock(share.startedAtMs + 11_500)
    const abort = new AbortController()
    const request = fetch(`${share.url}/v1/sessions/${share.sessionId}/clips`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ lastSeconds: 6 }),
      signal: abort.signal,
    }).catch(() => undefined)
    const waiting = await until('the clip', async () => {
      const { body } = await share.call('GET', '/v1/clips', { token })
      return body.clips[0]?.status === 'waiting' && body.clips[0]
    })
    abort.abort()
    await request
    await share.land({ from: 5, to: 6 })
    await until('the clip at rest', async () => (await clipOf(waiting.id)).stored)
  })

  it('a hundred times at once makes a hundred clips and writes one file', async () => {
    const from = new Date(share.startedAtMs + 1000)
    const body = { from, to: new Date(from.getTime() + 7000) }
    const answers = await Promise.all(Array.from({ length: 100 }, () => press(300, body)))
    expect(new Set(answers.map(({ status }) => status))).to.deep.equal(new Set([201]))
    expect(new Set(answers.map((answer) => answer.body.id)).size).to.equal(100)
    await until('all at rest', async () => {
      const { count } = await share.service.db
        .selectFrom('replay_clips')
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .where('file_id', 'is not', null)
        .executeTakeFirstOrThrow()
      return count === 100
    })
    const sizeBytes = Number(answers[0]?.body.sizeBytes)
    const quota = await share.call('GET', '/v1/quota', { token })
    expect(quota.body.usedBytes).to.equal(100 * sizeBytes)
    const files = await share.service.db.selectFrom('files').selectAll().execute()
    const stats = await Promise.all(files.map((file) => stat(join(share.config.storagePath, file.path))))
    expect(new Set(stats.map(({ ino }) => ino)).size).to.equal(1)
    expect(await share.service.db.selectFrom('clip_segments').selectAll().execute()).to.deep.equal([])
  })

  it('a restart between ready and at rest changes nothing for who is downloading', async () => {
    const from = new Date(share.startedAtMs + 1000)
    const made = await press(300, { from, to: new Date(from.getTime() + 7000) })
    const before = await fetch(made.body.links.file, { headers: { range: 'bytes=0-9999' } })
    const head = Buffer.from(await before.arrayBuffer())
    const etag = before.headers.get('etag') ?? ''
    await share.restart()
    const link = made.body.links.file.replace(/^http:\/\/[^/]+/, share.url)
    const rest = await fetch(link, { headers: { range: 'bytes=10000-', 'if-range': etag } })
    expect({ status: rest.status, etag: rest.headers.get('etag') }).to.deep.equal({ status: 206, etag })
    const whole = Buffer.concat([head, Buffer.from(await rest.arrayBuffer())])
    const stored = await until('the clip at rest', async () => {
      const clip = await clipOf(made.body.id)
      return clip.stored && clip
    })
    const file = Buffer.from(await (await fetch(stored.links.file)).arrayBuffer())
    expect(file.equals(whole)).to.equal(true)
  })
})
