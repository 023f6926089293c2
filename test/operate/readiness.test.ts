import { createServer, type Server } from 'node:http'
import { expect } from 'chai'
import { sql } from 'kysely'
import { startSimulator, type Simulator } from '../../src/simulator/simulator.ts'
import { API_KEY, API_SECRET, startTestService, type TestService } from '../support/service.ts'
import { until } from '../support/until.ts'

const WELL = { database: 'ok', migrations: 'ok', disk: 'ok', watcher: 'ok', jobs: 'ok' }

describe('readiness', () => {
  let simulator: Simulator
  let test: TestService

  before(async () => {
    simulator = await startSimulator({ apiKey: API_KEY, apiSecret: API_SECRET })
    test = await startTestService({ livekitUrl: simulator.url })
  })
  after(async () => {
    await test.stop()
    await simulator.stop()
  })

  const ask = () => test.call('GET', '/readyz')

  it('names every part that is well', async () => {
    const { status, body } = await ask()
    expect(status).to.equal(200)
    expect(body).to.include({ status: 'ready', ...WELL, livekit: 'ok' })
  })

  it('says which job nobody does, and takes webhooks all the same', async () => {
    await sql`select graphile_worker.add_job('of_the_future', run_at := now() - interval '10 minutes')`.execute(
      test.service.db,
    )
    const { status, body } = await ask()
    expect([status, body.status]).to.deep.equal([200, 'degraded'])
    expect(body.jobs).to.match(/^of_the_future waits for 60\d s$/)
    await sql`delete from graphile_worker._private_jobs`.execute(test.service.db)
    expect((await ask()).body.status).to.equal('ready')
  })

  it('is refused with what is missing while the tables are older than the program', async () => {
    const { rows } = await sql<{ name: string; timestamp: string }>`
      delete from kysely_migration where name = (select max(name) from kysely_migration)
      returning name, timestamp`.execute(test.service.db)
    const { status, body } = await ask()
    expect([status, body.code]).to.deep.equal([503, 'database_unavailable'])
    expect(body).to.include({ database: 'ok', migrations: `not applied: ${rows[0]?.name ?? ''}` })
    await sql`insert into kysely_migration (name, timestamp) values (${rows[0]?.name}, ${rows[0]?.timestamp})`.execute(
      test.service.db,
    )
    expect((await ask()).status).to.equal(200)
  })

  it('is refused while the database is away, and says so of each part that needs it', async () => {
    await test.database.cutOff()
    const { status, body } = await ask()
    expect([status, body.code]).to.deep.equal([503, 'database_unavailable'])
    expect(body).to.include({ database: 'it does not answer', disk: 'ok', watcher: 'ok', livekit: 'ok' })
    await test.database.allow()
    await until('the database', async () => (await ask()).status === 200)
  })

  describe('with a LiveKit that', () => {
    async function livekitState(livekitUrl: string, env: Record<string, string> = {}) {
      const other = await startTestService({ livekitUrl, env, database: test.database, withoutTicks: true })
      const startedAt = performance.now()
      const { status, body } = await other.call('GET', '/readyz')
      const tookMs = performance.now() - startedAt
      await other.stop()
      expect([status, body.status]).to.deep.equal([200, 'degraded'])
      expect(body).to.include(WELL)
      expect(tookMs).to.be.below(3000)
      return body.livekit as string
    }

    it('is away says so', async () => {
      expect(await livekitState('http://127.0.0.1:1')).to.equal('it does not answer')
    })

    it('has another secret says so', async () => {
      const env = { LIVEKIT_API_SECRET: 'another-secret-than-that-of-livekit' }
      expect(await livekitState(simulator.url, env)).to.equal('it refuses our API key or secret')
    })

    it('never answers is not waited for', async () => {
      const silent: Server = createServer(() => undefined)
      await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
      const address = silent.address()
      const port = address !== null && typeof address === 'object' ? address.port : 0
      expect(await livekitState(`http://127.0.0.1:${port}`)).to.equal('it has not answered yet')
      silent.closeAllConnections()
      await new Promise((resolve) => silent.close(resolve))
    })
  })
})
