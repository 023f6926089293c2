import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import ffmpegInstaller from '@ffmpeg-installer/ffmpeg'
import { expect } from 'chai'
import { v7 as uuidv7 } from 'uuid'
import { readPictureClock } from '../../src/simulator/picture-clock.ts'
import { landRecording } from '../support/recording.ts'
import { ROOM, startRecordedShare, USER, type RecordedShare } from '../support/recorded-share.ts'
import { memberToken } from '../support/service.ts'
import { until } from '../support/until.ts'

/** How much later the second session is: the same recording once more, so its pictures show clocks this much earlier. */
const LATER_MS = 30_000

describe('a share that ended and began again', () => {
  let share: RecordedShare
  let token: string

  before(async () => {
    token = await memberToken(USER, ROOM)
    share = await startRecordedShare()
    await share.land({ to: 8 })
    await kept(share.sessionId)
    const { db } = share.service
    const ended = new Date(share.startedAtMs + 16_000)
    const first = { status: 'ended', ended_at: ended, expires_at: new Date(ended.getTime() + 3_600_000) } as const
    await db.updateTable('egress_sessions').set(first).where('id', '=', share.sessionId).execute()
    await db.updateTable('share_spans').set({ shared_to: ended }).where('session_id', '=', share.sessionId).execute()
    await addSecond()
    share.setClock(share.startedAtMs + 90_000)
  })
  after(() => share.stop())

  const kept = (id: string) =>
    until('the segments', async () => {
      const { body } = await share.call('GET', `/v1/sessions/${id}`, { token })
      return body.coverage?.coveredSeconds > 15
    })

  async function addSecond(): Promise<void> {
    const { db } = share.service
    const id = uuidv7()
    const before = await db.selectFrom('egress_sessions').selectAll().executeTakeFirstOrThrow()
    const origin = new Date(share.startedAtMs + LATER_MS)
    const change = {
      id,
      egress_id: 'EG_second',
      clock_origin: origin,
      clock_source: 'measured',
      created_at: origin,
    } as const
    await db
      .insertInto('egress_sessions')
      .values({ ...before, ...change })
      .execute()
    const span = { session_id: id, track_sid: 'TR_second', shared_from: origin, shared_to: null }
    await db.insertInto('share_spans').values(span).execute()
    await landRecording('participant-stopped', join(share.config.bufferPath, id), { to: 8 })
    await kept(id)
  }

  it('is one clip: both pieces, the time between left out and named', async () => {
    const from = new Date(share.startedAtMs + 10_000)
    const to = new Date(share.startedAtMs + LATER_MS + 6_000)
    const { status, body } = await share.call('POST', '/v1/clips', { token, body: { room: ROOM, from, to } })
    expect(status).to.equal(201)
    expect(body.durationSeconds).to.be.closeTo(12, 0.2)
    const gaps = body.coverage.gaps.map((gap: { from: string; to: string; reason: string }) => ({
      from: (Date.parse(gap.from) - share.startedAtMs) / 1000,
      to: (Date.parse(gap.to) - share.startedAtMs) / 1000,
      reason: gap.reason,
    }))
    expect(gaps[0]).to.deep.include({ from: 16, reason: 'unshared' })
    expect(gaps[0].to).to.equal(LATER_MS / 1000)

    const file = join(share.config.dataPath, 'two.mp4')
    await writeFile(file, Buffer.from(await (await fetch(body.links.file)).arrayBuffer()))
    const frames = await readPictureClock(ffmpegInstaller.path, file)
    const clocks = frames.flatMap(({ wallMs }) => (wallMs === null ? [] : [wallMs]))
    expect(clocks[0]).to.be.closeTo(from.getTime(), 100)
    const jump = clocks.findIndex((clock, i) => i > 0 && clock < (clocks[i - 1] ?? 0))
    expect(clocks[jump - 1]).to.be.closeTo(share.startedAtMs + 16_000, 100)
    expect(clocks.at(-1)).to.be.closeTo(to.getTime() - LATER_MS, 100)
    expect(frames.at(-1)?.ptsSeconds).to.be.closeTo(body.durationSeconds, 0.1)
  })

  it('is captured for a user only, and only where they shared', async () => {
    const body = { room: ROOM, lastSeconds: 30 }
    const bob = await memberToken('bob', ROOM)
    expect((await share.call('POST', '/v1/clips', { token: bob, body })).body.code).to.equal('not_found')
    const named = { ...body, userId: USER }
    expect((await share.call('POST', '/v1/clips', { token: bob, body: named })).body.code).to.equal('forbidden')
  })
})
