import { createHash } from 'node:crypto'
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import pg from 'pg'
import { runChecks } from '../../src/check-data/run-checks.ts'
import { systemNow } from '../../src/clock.ts'
import { createDb, createPool } from '../../src/db/connect.ts'
import { silentLog } from '../support/log.ts'
import { ROOM, startRecordedShare, USER, type RecordedShare } from '../support/recorded-share.ts'
import { memberToken, startTestService, type TestService } from '../support/service.ts'
import { until } from '../support/until.ts'

/** As docs/operating.md says: the database, then the clips; the buffer is not in it. */
describe('a restore of a backup', () => {
  let share: RecordedShare
  let restored: TestService | undefined
  let dataPath: string
  let copyUrl: string

  before(async () => {
    share = await startRecordedShare()
    dataPath = await mkdtemp(join(tmpdir(), 'livekit-replay-test-'))
    copyUrl = share.database.url.replace(/\/(\w+)$/, '/$1_restored')
  })
  after(async () => {
    await restored?.stop()
    await administer(`drop database if exists ${nameOf(copyUrl)} with (force)`)
    await share.stop()
    await rm(dataPath, { recursive: true, force: true })
  })

  const nameOf = (url: string) => new URL(url).pathname.slice(1)

  async function administer(statement: string): Promise<void> {
    const client = new pg.Client({ connectionString: share.database.url.replace(/\/\w+$/, '/postgres') })
    await client.connect()
    await client.query(statement)
    await client.end()
  }

  it('has every clip that was at rest, and check-data puts the rest right', async () => {
    const token = await memberToken(USER, ROOM)
    await share.land({ to: 8 })
    await until('the segments', async () => {
      const { body } = await share.call('GET', `/v1/sessions/${share.sessionId}`, { token })
      return body.coverage.coveredSeconds > 14
    })
    const from = new Date(share.startedAtMs + 2000)
    share.setClock(share.startedAtMs + 60_000)
    const range = { from, to: new Date(from.getTime() + 5000) }
    const made = await share.call('POST', `/v1/sessions/${share.sessionId}/clips`, { token, body: range })
    const clip = await until('the clip at rest', async () => {
      const { body } = await share.call('GET', `/v1/clips/${made.body.id}`, { token })
      return body.stored && body
    })
    await share.service.stop()
    await administer(`create database ${nameOf(copyUrl)} template ${nameOf(share.database.url)}`)
    const storagePath = join(dataPath, 'replays')
    const bufferPath = join(dataPath, 'buffer')
    await mkdir(bufferPath)
    await cp(share.config.storagePath, storagePath, { recursive: true })

    const db = createDb(createPool(copyUrl, silentLog))
    const deps = { db, now: systemNow, log: silentLog, node: share.config.node, bufferPath, storagePath }
    const check = (repair: boolean, force: boolean) => runChecks(deps, { repair, force, say: () => undefined })
    expect(await check(false, false)).to.be.greaterThan(0)
    expect(await check(true, false)).to.be.greaterThan(0)
    expect(await check(true, true)).to.equal(0)
    expect(await check(false, false)).to.equal(0)
    await db.destroy()

    const database = { ...share.database, url: copyUrl }
    restored = await startTestService({ livekitUrl: share.config.livekit.url, database, dataPath, withoutTicks: true })
    const { body } = await restored.call('GET', `/v1/clips/${clip.id}`, { token })
    expect(body).to.include({ status: 'ready', stored: true, sha256: clip.sha256 })
    const file = Buffer.from(await (await fetch(body.links.file as string)).arrayBuffer())
    expect(createHash('sha256').update(file).digest('hex')).to.equal(clip.sha256)
  })
})
