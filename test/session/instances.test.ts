import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { WebhookEvent } from '@livekit/protocol'
import { expect } from 'chai'
import { createDb, createPool, type Db } from '../../src/db/connect.ts'
import { startSimulator, type Simulator } from '../../src/simulator/simulator.ts'
import { startStillWriter } from '../simulator/still-writer.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { silentLog } from '../support/log.ts'
import { runNode, type RunningProcess } from '../support/process.ts'
import { API_KEY, API_SECRET } from '../support/service.ts'
import { until } from '../support/until.ts'
import { QUICK } from './stage.ts'

const ROOMS = ['one', 'two', 'three', 'four', 'five', 'six']

/** Of half of the rooms only the end of the egress is told: whoever asked for it must find it again. */
const isLost = ({ event, egressInfo }: WebhookEvent) =>
  ['egress_started', 'egress_updated'].includes(event) && /t/.test(egressInfo?.roomName ?? '')

/** Each has its own disk; every webhook goes to all of them. */
describe('three instances on one database', () => {
  let simulator: Simulator
  let database: TestDatabase
  let dataPath: string
  let instances: RunningProcess[]
  let db: Db

  before(async function () {
    this.timeout(60_000)
    database = await createTestDatabase()
    db = createDb(createPool(database.url, silentLog))
    dataPath = await mkdtemp(join(tmpdir(), 'livekit-replay-test-'))
    simulator = await startSimulator({
      apiKey: API_KEY,
      apiSecret: API_SECRET,
      startWriter: startStillWriter,
      timing: QUICK,
      // While these are waited for, one of us is killed.
      faults: { startAnswerDelayMs: 2500, loseWebhook: isLost },
    })
    const ports = await Promise.all(['a', 'b', 'c'].map(freePort))
    instances = ports.map((port, index) => startInstance(port, `node-${index}`))
    await until('three instances', async () => {
      const ready = await Promise.all(
        ports.map((port) =>
          fetch(`http://127.0.0.1:${port}/readyz`).then(
            ({ ok }) => ok,
            () => false,
          ),
        ),
      )
      return ready.every(Boolean)
    })
    simulator.setWebhookUrls(ports.map((port) => `http://127.0.0.1:${port}/webhooks/livekit`))
  })
  after(async () => {
    for (const { child } of instances) child.kill('SIGTERM')
    await Promise.all(instances.map(({ ended }) => ended))
    await simulator.stop()
    await db.destroy()
    await database.drop()
    await rm(dataPath, { recursive: true, force: true })
  })

  function startInstance(port: number, node: string): RunningProcess {
    return runNode('src/main.ts', [], {
      LIVEKIT_URL: simulator.url,
      LIVEKIT_API_KEY: API_KEY,
      LIVEKIT_API_SECRET: API_SECRET,
      DATABASE_URL: database.url,
      REPLAY_DATA_PATH: join(dataPath, node),
      REPLAY_EGRESS_PATH: join(dataPath, 'node-0', 'buffer'),
      REPLAY_NODE: node,
      REPLAY_SEGMENT_DURATION_SECONDS: '1',
      REPLAY_MIN_FREE_BYTES: '0',
      PORT: String(port),
    })
  }

  const sessions = () => db.selectFrom('egress_sessions').selectAll().execute()
  const recorded = async () => (await sessions()).filter(({ egress_id: egressId }) => egressId)

  it('record each share once and do each event once, though one is killed while it starts them', async function () {
    this.timeout(60_000)
    for (const room of ROOMS) {
      simulator.join(room, { identity: 'alice' })
      simulator.publishShare(room, 'alice')
    }
    await until(
      'starts on their way',
      async () => (await sessions()).filter(({ start_sent_at: sent }) => sent).length >= 4,
    )
    instances[1]?.child.kill('SIGKILL')
    expect(await instances[1]?.ended).to.equal('SIGKILL')

    await until('each share bound to its egress', async () => (await recorded()).length === ROOMS.length, 45_000)
    expect((await recorded()).map(({ room }) => room).toSorted()).to.deep.equal(ROOMS.toSorted())
    const egresses = simulator.egresses().map(({ egressId }) => egressId)
    expect((await recorded()).map(({ egress_id }) => egress_id)).to.have.members(egresses)
    // Killed after it noted that it asks and before it asked: nobody can know, so the share has another session.
    const given = (await sessions()).filter(({ egress_id: egressId }) => !egressId)
    for (const { status, ended_reason: reason } of given) expect([status, reason]).to.deep.equal(['failed', 'lost'])

    // One that is being answered is in the record already.
    const taken = await until('each webhook that was delivered in the record, and no other', async () => {
      const rows = await db.selectFrom('webhook_events').select(['id', 'effect']).execute()
      const sent = simulator.webhooksSent().filter(({ outcome }) => outcome === 'delivered')
      const ids = new Set(sent.map(({ id }) => id))
      return rows.length === ids.size && rows.every(({ id }) => ids.has(id)) && rows
    })
    expect(taken.filter(({ effect }) => effect === 'session_created').length).to.be.at.most(ROOMS.length)

    for (const room of ROOMS) simulator.leave(room, 'alice')
    await until('the end of all', async () => (await recorded()).every(({ status }) => status === 'ended'), 45_000)
    expect(await sessions()).to.have.length(ROOMS.length + given.length)
  })
})

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return address !== null && typeof address === 'object' ? address.port : 0
}
