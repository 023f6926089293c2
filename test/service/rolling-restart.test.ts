import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { runChecks } from '../../src/check-data/run-checks.ts'
import { systemNow } from '../../src/clock.ts'
import { createDb, createPool, type Db } from '../../src/db/connect.ts'
import { startSimulator, type Simulator } from '../../src/simulator/simulator.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { silentLog } from '../support/log.ts'
import { runNode, type RunningProcess } from '../support/process.ts'
import { API_KEY, API_SECRET, memberToken } from '../support/service.ts'
import { until } from '../support/until.ts'

describe('a rolling restart', () => {
  let simulator: Simulator
  let database: TestDatabase
  let dataPath: string
  let db: Db
  const running: RunningProcess[] = []

  before(async () => {
    database = await createTestDatabase()
    db = createDb(createPool(database.url, silentLog))
    dataPath = await mkdtemp(join(tmpdir(), 'livekit-replay-test-'))
    simulator = await startSimulator({ apiKey: API_KEY, apiSecret: API_SECRET })
  })
  after(async () => {
    for (const { child } of running) child.kill('SIGTERM')
    await Promise.all(running.map(({ ended }) => ended))
    await simulator.stop()
    await db.destroy()
    await database.drop()
    await rm(dataPath, { recursive: true, force: true })
  })

  /** Beside those that run, on the same disk. */
  async function startInstance(): Promise<{ url: string; process: RunningProcess }> {
    const started = runNode('src/main.ts', [], {
      LIVEKIT_URL: simulator.url,
      LIVEKIT_API_KEY: API_KEY,
      LIVEKIT_API_SECRET: API_SECRET,
      DATABASE_URL: database.url,
      REPLAY_DATA_PATH: dataPath,
      REPLAY_NODE: 'shared',
      REPLAY_SEGMENT_DURATION_SECONDS: '1',
      REPLAY_MIN_FREE_BYTES: '0',
      PORT: '0',
    })
    running.push(started)
    return {
      process: started,
      url: await until('the instance', () => /"url":"(http[^"]+)"/.exec(started.output())?.[1]),
    }
  }

  const landed = async () =>
    (await db.selectFrom('segments').select('sequence').orderBy('sequence').execute()).map(({ sequence }) => sequence)

  it('in the middle of a capture and of landing loses neither', async function () {
    this.timeout(60_000)
    const old = await startInstance()
    simulator.setWebhookUrls([`${old.url}/webhooks/livekit`])
    simulator.join('stage', { identity: 'alice' })
    const { trackSid } = simulator.publishShare('stage', 'alice')
    const fresh = await startInstance()
    simulator.setWebhookUrls([`${fresh.url}/webhooks/livekit`])
    await until('segments', async () => (await landed()).length >= 2)
    const session = await db.selectFrom('egress_sessions').select('id').executeTakeFirstOrThrow()

    const headers = {
      authorization: `Bearer ${await memberToken('alice', 'stage')}`,
      'content-type': 'application/json',
    }
    const press = fetch(`${old.url}/v1/sessions/${session.id}/clips`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ lastSeconds: 2 }),
    })
    await until('the capture', async () => db.selectFrom('replay_clips').select('id').executeTakeFirst())
    const before = (await landed()).length
    old.process.child.kill('SIGTERM')
    const made = await press
    expect(made.status).to.be.oneOf([201, 202])
    const { id } = (await made.json()) as { id: string }
    expect(await old.process.ended).to.equal(0)
    expect(old.process.output())
      .to.match(/shutdown phase done/)
      .and.not.match(/"level":"error"/)

    const clip = await until('the clip at rest', async () => {
      const answer = await fetch(`${fresh.url}/v1/clips/${id}`, { headers })
      const found = (await answer.json()) as { stored: boolean; coverage: object }
      return found.stored && found
    })
    expect(clip.coverage).to.include({ complete: true })
    await until('more segments', async () => (await landed()).length > before + 1)
    simulator.unpublish('stage', 'alice', trackSid)
    simulator.leave('stage', 'alice')
    await until('the end', async () =>
      db.selectFrom('egress_sessions').select('id').where('status', '=', 'ended').executeTakeFirst(),
    )
    const [egress, ...others] = simulator.egresses()
    expect(others).to.deep.equal([])
    const written = Array.from({ length: egress?.segmentCount ?? 0 }, (_, sequence) => sequence)
    await until('the last segment', async () => (await landed()).length === written.length)
    expect(await landed()).to.deep.equal(written)
    const said: string[] = []
    const paths = { bufferPath: join(dataPath, 'buffer'), storagePath: join(dataPath, 'replays') }
    const deps = { db, now: systemNow, log: silentLog, node: 'shared', ...paths }
    const wrong = await runChecks(deps, { repair: false, force: false, say: (line) => said.push(line) })
    expect(wrong, said.join('\n')).to.equal(0)
  })

  it('need not wait for what hangs: a second signal ends it at once', async () => {
    const { url, process: hanging } = await startInstance()
    const { hostname, port } = new URL(url)
    const socket = connect(Number(port), hostname)
    socket.on('error', () => undefined)
    let heard = ''
    socket.on('data', (chunk: Buffer) => (heard += chunk.toString()))
    const head = ['POST /webhooks/livekit HTTP/1.1', 'Host: x', 'Expect: 100-continue', 'Content-Length: 9']
    socket.write(`${head.join('\r\n')}\r\n\r\n`)
    await until('a request that does not end', () => heard.includes('100 Continue'))
    hanging.child.kill('SIGTERM')
    await until('the beginning of the end', () => hanging.output().includes('"message":"stopping"'))
    hanging.child.kill('SIGTERM')
    expect(await hanging.ended).to.equal(130)
    socket.destroy()
  })
})
