import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { ROOM, startRecordedShare, USER, type RecordedShare } from '../support/recorded-share.ts'
import { memberToken, startTestService, type TestService } from '../support/service.ts'
import { until } from '../support/until.ts'

describe('two nodes with disks of their own', () => {
  let here: RecordedShare
  let there: TestService
  let dataPath: string
  let token: string

  before(async () => {
    token = await memberToken(USER, ROOM)
    here = await startRecordedShare('participant-stopped', { env: { REPLAY_NODE: 'here' } })
    dataPath = await mkdtemp(join(tmpdir(), 'livekit-replay-there-'))
    const { database, config } = here
    there = await startTestService({
      livekitUrl: config.livekit.url,
      database,
      dataPath,
      env: { REPLAY_NODE: 'there' },
    })
    await here.land({ to: 12 })
    await until('the segments', async () => (await session()).coverage.coveredSeconds > 22)
    here.setClock(here.startedAtMs + 30_000)
    there.clock.offsetMs = here.clock.offsetMs
  })
  after(async () => {
    await there.stop()
    await here.stop()
    await rm(dataPath, { recursive: true, force: true })
  })

  const row = () =>
    there.service.db
      .selectFrom('egress_sessions')
      .selectAll()
      .where('id', '=', here.sessionId)
      .executeTakeFirstOrThrow()
  const session = async () => (await there.call('GET', `/v1/sessions/${here.sessionId}`, { token })).body
  const files = async (path: string) =>
    (await readdir(path, { recursive: true })).filter((name) => name.endsWith('.mp4') || name.endsWith('.samples'))

  function capture(fromMs: number) {
    const from = new Date(here.startedAtMs + fromMs)
    const body = { from, to: new Date(from.getTime() + 6000) }
    return there.call('POST', `/v1/sessions/${here.sessionId}/clips`, { token, body })
  }

  it('say which of them has a session, and neither takes what is not on its disk', async () => {
    expect(await row()).to.include({ node: 'here' })
    expect(await there.service.schedules.sweep_buffers()).to.deep.equal({ leftovers: 0, directories: 0 })
    expect(await there.service.schedules.retain_segments()).to.deep.equal({ segments: 0, sessions: 0 })
    expect(await files(there.config.bufferPath)).to.deep.equal([])
  })

  it('show what is kept on either', async () => {
    const { links } = await session()
    expect(links.playlist).to.match(new RegExp(`^${there.url}/`))
    const text = await (await fetch(links.playlist)).text()
    const name = /^segment-3\S*$/m.exec(text)?.[0] ?? ''
    const passed = await fetch(new URL(name, links.playlist), { headers: { range: 'bytes=10-999' } })
    const own = await fetch(new URL(name, links.playlist.replace(there.url, here.url)))
    expect(passed.status).to.equal(206)
    expect(passed.headers.get('etag')).to.equal(own.headers.get('etag'))
    const bytes = Buffer.from(await own.arrayBuffer())
    expect(Buffer.from(await passed.arrayBuffer()).equals(bytes.subarray(10, 1000))).to.equal(true)
    expect((await fetch(links.poster)).headers.get('content-type')).to.equal('image/jpeg')
    const strange = await fetch(new URL(name.replace(/.{4}$/, '0000'), links.playlist))
    expect(strange.status).to.equal(401)
  })

  it('make a clip where its segments are, and hand it out on either', async () => {
    const made = await capture(5000)
    expect(made.status).to.equal(201)
    const stored = await until('the clip at rest', async () => {
      const { body } = await there.call('GET', `/v1/clips/${made.body.id}`, { token })
      return body.stored === true && body
    })
    expect(await files(there.config.dataPath)).to.deep.equal([])
    expect((await files(here.config.storagePath)).filter((name) => name.endsWith('.mp4'))).to.have.length(1)
    const passed = await fetch(stored.links.file)
    expect(passed.headers.get('content-disposition')).to.include('.mp4')
    const own = await fetch(stored.links.file.replace(there.url, here.url))
    const bytes = Buffer.from(await own.arrayBuffer())
    expect(Buffer.from(await passed.arrayBuffer()).equals(bytes)).to.equal(true)
    expect(bytes.length).to.equal(stored.sizeBytes)

    const deleted = await there.call('DELETE', `/v1/clips/${made.body.id}`, { token })
    expect(deleted.body.freedBytes).to.equal(stored.sizeBytes)
    expect((await files(here.config.storagePath)).filter((name) => name.endsWith('.mp4'))).to.deep.equal([])
  })

  it('delete a buffer where it is, whoever is asked to', async () => {
    const ended = {
      status: 'ended',
      ended_reason: 'unshared',
      ended_at: new Date(),
      expires_at: new Date(8e12),
    } as const
    await there.service.db.updateTable('egress_sessions').set(ended).where('id', '=', here.sessionId).execute()
    expect((await there.call('DELETE', `/v1/sessions/${here.sessionId}`, { token })).status).to.equal(200)
    await until('the buffer to go', async () => (await readdir(here.config.bufferPath)).length === 0)
  })

  it('take over what they find on their disk, with the jobs that were meant for another name', async () => {
    const { db } = there.service
    await db.insertInto('instances').values({ node: 'renamed', url: 'http://renamed', seen_at: new Date() }).execute()
    const left = { purged_at: null, expires_at: new Date(0), node: 'renamed' } as const
    await db.updateTable('egress_sessions').set(left).where('id', '=', here.sessionId).execute()
    await here.land({ from: 0, to: 1 })
    await here.restart()
    await until('the purge', async () => (await row()).purged_at !== null)
    expect(await row()).to.include({ node: 'here' })
    expect(await readdir(here.config.bufferPath)).to.deep.equal([])
  })
})
