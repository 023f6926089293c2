import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import ffmpegInstaller from '@ffmpeg-installer/ffmpeg'
import { expect } from 'chai'
import { deleteOldest } from '../../src/segment/retention.ts'
import { readBeeps, readPictureClock } from '../../src/simulator/picture-clock.ts'
import { silentLog } from '../support/log.ts'
import { ROOM, startRecordedShare, USER, type RecordedShare } from '../support/recorded-share.ts'
import { memberToken } from '../support/service.ts'
import { until } from '../support/until.ts'

/** Seconds of the share; segment n is [2 n, 2 n + 2). */
const GAPS: [from: number, to: number, reason: string][] = [
  [0, 2, 'expired'],
  [6, 8, 'unreadable'],
  [12, 14, 'missing'],
]
const END = 18

describe('a clip over what was lost', () => {
  let share: RecordedShare
  let token: string

  before(async () => {
    token = await memberToken(USER, ROOM)
    share = await startRecordedShare()
    await share.land({ to: 10, broken: [3], lost: [6] })
    const { db } = share.service
    await until('the segments', async () => (await db.selectFrom('segments').selectAll().execute()).length === 9)
    share.setClock(share.startedAtMs + 60_000)
    const { bufferPath } = share.config
    const deps = { db, now: () => new Date(), log: silentLog, bufferPath, config: { cleanupBufferMs: 0 } }
    await deleteOldest(deps, share.sessionId, 2500, 1)
  })
  after(() => share.stop())

  const second = (wallMs: number) => (wallMs - share.startedAtMs) / 1000

  it('says what is missing and why, and shows and sounds all the rest in its place', async () => {
    const [from, to] = [new Date(share.startedAtMs), new Date(share.startedAtMs + END * 1000)]
    const { status, body } = await share.call('POST', `/v1/sessions/${share.sessionId}/clips`, {
      token,
      body: { from, to },
    })
    expect(status).to.equal(201)
    expect(body.coverage.complete).to.equal(false)
    const gaps = body.coverage.gaps as { from: string; to: string; reason: string }[]
    expect(gaps.map(({ reason }) => reason)).to.deep.equal(GAPS.map(([, , reason]) => reason))
    for (const [i, [begin, end]] of GAPS.entries()) {
      expect(second(Date.parse(gaps[i]?.from ?? '')), `gap ${i}`).to.be.closeTo(begin, 0.1)
      expect(second(Date.parse(gaps[i]?.to ?? '')), `gap ${i}`).to.be.closeTo(end, 0.1)
    }
    const length = GAPS.reduce((left, [begin, end]) => left - (end - begin), END)
    expect(body.durationSeconds).to.be.closeTo(length, 0.1)
    expect(body.coverage.coveredSeconds).to.equal(body.durationSeconds)

    const file = join(share.config.dataPath, 'gaps.mp4')
    await writeFile(file, Buffer.from(await (await fetch(body.links.file)).arrayBuffer()))
    /** The second of the share that the clip shows at one of its own. */
    const shownAt = (at: number) =>
      GAPS.reduce((shown, [begin, end]) => (shown >= begin ? shown + end - begin : shown), at)
    const frames = await readPictureClock(ffmpegInstaller.path, file)
    expect(frames.length / 30).to.be.closeTo(length, 0.1)
    for (const { wallMs, ptsSeconds } of frames) {
      // Where pieces meet it is of the one or of the other.
      const errors = [-0.05, 0, 0.05].map((off) => Math.abs(second(wallMs ?? 0) - shownAt(ptsSeconds + off)))
      expect(Math.min(...errors), `at ${ptsSeconds}`).to.be.lessThan(0.1)
    }
    // Each beep says which second it is of; the recorded sound is 42 ms late.
    const beeps = (await readBeeps(ffmpegInstaller.path, file)).filter(({ ptsSeconds }) => ptsSeconds > 0.1)
    expect(beeps.length).to.be.within(10, 13)
    for (const { ptsSeconds, secondMod10 } of beeps) {
      const wallMs = share.startedAtMs + shownAt(ptsSeconds) * 1000 - 42
      expect(Math.round(wallMs / 1000) % 10, `at ${ptsSeconds}`).to.equal(secondMod10)
    }
    expect(
      (await readPictureClock(ffmpegInstaller.path, body.links.playlist))
        .slice(-frames.length)
        .map((frame) => frame.wallMs),
    ).to.deep.equal(frames.map((frame) => frame.wallMs))
  })
})
