import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import ffmpegInstaller from '@ffmpeg-installer/ffmpeg'
import { expect } from 'chai'
import { createDiskWatch } from '../../src/segment/full-disk.ts'
import { purgeSession, type PurgeDeps } from '../../src/segment/purge-session.ts'
import { deleteOldest } from '../../src/segment/retention.ts'
import { readPictureClock } from '../../src/simulator/picture-clock.ts'
import { silentLog } from '../support/log.ts'
import { ROOM, startRecordedShare, USER, type RecordedShare } from '../support/recorded-share.ts'
import { memberToken } from '../support/service.ts'
import { until } from '../support/until.ts'

const EVERYTHING = 2 ** 31 - 1

describe('a capture while its segments are wanted away', () => {
  let share: RecordedShare
  let token: string
  let deps: PurgeDeps & { storagePath: string; config: { cleanupBufferMs: number; minFreeBytes: number } }

  beforeEach(async () => {
    token = await memberToken(USER, ROOM)
    share = await startRecordedShare()
    await share.land({ to: 20 })
    await until('the segments', async () => (await live()) === 20)
    const { db } = share.service
    const { bufferPath, storagePath, node } = share.config
    const config = { cleanupBufferMs: 0, minFreeBytes: EVERYTHING * 1000 }
    const now = () => new Date(share.startedAtMs + 3_600_000)
    deps = { db, now, log: silentLog, bufferPath, storagePath, node, config, forget: () => undefined }
  })
  afterEach(() => share.stop())

  async function live(): Promise<number> {
    const rows = await share.service.db
      .selectFrom('segments')
      .select('sequence')
      .where('deleted_at', 'is', null)
      .execute()
    return rows.length
  }

  function capture(fromMs: number, toMs: number) {
    const [from, to] = [new Date(share.startedAtMs + fromMs), new Date(share.startedAtMs + toMs)]
    share.setClock(share.startedAtMs + 60_000)
    return share.call('POST', `/v1/sessions/${share.sessionId}/clips`, { token, body: { from, to } })
  }

  /** The clip has every picture that its coverage says, and the bytes that it says. */
  async function assertWhole(id: string): Promise<void> {
    const clip = await until('the clip at rest', async () => {
      const { body } = await share.call('GET', `/v1/clips/${id}`, { token })
      return body.stored === true && body
    })
    const bytes = Buffer.from(await (await fetch(clip.links.file)).arrayBuffer())
    expect(bytes.length).to.equal(clip.sizeBytes)
    expect(createHash('sha256').update(bytes).digest('hex')).to.equal(clip.sha256)
    const path = join(share.config.dataPath, `${id}.mp4`)
    await writeFile(path, bytes)
    const frames = await readPictureClock(ffmpegInstaller.path, path)
    expect(frames.length / 30).to.be.closeTo(clip.coverage.coveredSeconds, 0.1)
  }

  const TAKERS: [string, () => Promise<unknown>][] = [
    ['retention', () => deleteOldest(deps, share.sessionId, EVERYTHING, 100)],
    ['a full disk', () => createDiskWatch(deps)()],
    ['a purge', () => purgeAll()],
  ]

  async function purgeAll(): Promise<string> {
    const ended = { status: 'ended', ended_reason: 'unshared', ended_at: new Date(), expires_at: new Date(0) } as const
    await deps.db.updateTable('egress_sessions').set(ended).where('id', '=', share.sessionId).execute()
    return purgeSession(deps, { sessionId: share.sessionId })
  }

  for (const [name, take] of TAKERS)
    it(`is whole, though ${name} takes all that it can the moment it was answered`, async () => {
      const made = await capture(5000, 25_000)
      expect(made.status).to.equal(201)
      await take()
      expect(await live()).to.be.below(20)
      await assertWhole(made.body.id)
    })

  it('is refused while the disk is full, which readyz tells, and made when there is room again', async () => {
    const minFreeBytes = share.config.minFreeBytes
    share.config.minFreeBytes = EVERYTHING * 1000
    const refused = await capture(5000, 15_000)
    expect([refused.status, refused.body.code]).to.deep.equal([507, 'storage_full'])
    const full = await share.call('GET', '/readyz')
    expect(full.status).to.equal(200)
    expect(full.body).to.include({ status: 'degraded', database: 'ok', minFreeBytes: EVERYTHING * 1000 })
    expect(full.body.disk).to.match(/^full: \d+ bytes are free/)
    share.config.minFreeBytes = minFreeBytes
    expect((await share.call('GET', '/readyz')).body).to.include({ disk: 'ok' })
    expect((await capture(5000, 15_000)).status).to.equal(201)
  })

  it('is whole or refused, when both begin at once', async () => {
    const captures = [2000, 8000, 14_000, 20_000, 26_000].map((from) => capture(from, from + 8000))
    const taking = (async () => {
      while ((await deleteOldest(deps, share.sessionId, EVERYTHING, 1)).length > 0);
    })()
    const answers = await Promise.all(captures)
    await taking
    for (const { status, body } of answers) {
      if (status === 201) await assertWhole(body.id)
      else expect(body.code).to.equal('range_not_recorded')
    }
    expect(answers.some(({ status }) => status === 201)).to.equal(true)
  })
})
