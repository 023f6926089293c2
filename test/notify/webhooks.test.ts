import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { expect } from 'chai'
import { sql } from 'kysely'
import { WebhookReceiver } from 'livekit-server-sdk'
import { ROOM, startRecordedShare, USER, type RecordedShare } from '../support/recorded-share.ts'
import { API_KEY, API_SECRET, memberToken, startTestService } from '../support/service.ts'
import { until } from '../support/until.ts'

interface Delivery {
  body: string
  authorization: string
  contentType: string
}

/** Somebody who is told; `answer` decides what is said to each delivery, or that nothing is. */
async function startReceiver(answer: (n: number) => number | undefined = () => 200) {
  const deliveries: Delivery[] = []
  const listener = (req: IncomingMessage, res: ServerResponse) => {
    const chunks: Buffer[] = []
    req.on('data', (chunk: Buffer) => chunks.push(chunk))
    req.on('end', () => {
      const { authorization = '', 'content-type': contentType = '' } = req.headers
      deliveries.push({ body: Buffer.concat(chunks).toString(), authorization, contentType })
      const status = answer(deliveries.length)
      if (status !== undefined) res.writeHead(status).end()
    })
  }
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = address !== null && typeof address === 'object' ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}/hook?key=a-secret-of-the-receiver`,
    deliveries,
    bodies: () =>
      deliveries.map(({ body }) => JSON.parse(body) as { event: string; id: string; clip?: { id: string } }),
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

describe('webhooks to others', () => {
  let token: string
  let stops: (() => Promise<void>)[]

  beforeEach(async () => {
    token = await memberToken(USER, ROOM)
    stops = []
  })
  afterEach(async () => {
    for (const stop of stops.toReversed()) await stop()
  })

  async function receiver(answer?: (n: number) => number | undefined) {
    const started = await startReceiver(answer)
    stops.push(started.stop)
    return started
  }

  async function shareTelling(...urls: string[]): Promise<RecordedShare> {
    const share = await startRecordedShare('participant-stopped', { env: { REPLAY_WEBHOOK_URLS: urls.join(',') } })
    stops.push(() => share.stop())
    await share.land({ to: 6 })
    await until('the segments', async () => {
      const { body } = await share.call('GET', `/v1/sessions/${share.sessionId}`, { token })
      return body.coverage.coveredSeconds > 11
    })
    share.setClock(share.startedAtMs + 60_000)
    return share
  }

  async function capture(share: RecordedShare) {
    const from = new Date(share.startedAtMs + 2000)
    const body = { from, to: new Date(from.getTime() + 2000) }
    return (await share.call('POST', `/v1/sessions/${share.sessionId}/clips`, { token, body })).body
  }

  it('are verified by LiveKit’s own receiver, and hold what happened and no link', async () => {
    const told = await receiver()
    const share = await shareTelling(told.url)
    const clip = await capture(share)
    await until('the clip at rest', () => told.bodies().some(({ event }) => event === 'clip_stored'))
    const livekit = new WebhookReceiver(API_KEY, API_SECRET)
    for (const { body, authorization, contentType } of told.deliveries) {
      const event = await livekit.receive(body, authorization)
      expect(contentType).to.equal('application/webhook+json')
      expect(event.room?.name).to.equal(ROOM)
      expect(event.participant?.identity).to.equal(USER)
      expect(Number(event.createdAt) * 1000).to.be.closeTo(Date.now(), 60_000)
      expect(body).not.to.match(/token/)
    }
    const bodies = told.bodies()
    const names = ['session_started', 'session_active', 'clip_ready', 'clip_stored']
    expect(bodies.map(({ event }) => event)).to.have.members(names)
    expect(bodies.find(({ event }) => event === 'clip_ready')?.clip).to.include({ id: clip.id, status: 'ready' })
    expect(new Set(bodies.map(({ id }) => id)).size).to.equal(bodies.length)
  })

  it('are tried again with the same id, with growing pauses, for a day', async () => {
    const told = await receiver((n) => (n <= 2 ? 503 : 204))
    const share = await shareTelling(told.url)
    const retried = async () => {
      const { rows } = await sql<{ attempts: number; pause: number; most: number }>`
        select attempts, extract(epoch from run_at - updated_at)::float8 as pause, max_attempts as most
        from graphile_worker.jobs where task_identifier = 'send_webhook' and attempts > 0 and locked_at is null
        order by id`.execute(share.service.db)
      return rows
    }
    const [first] = await until('two failures', async () => {
      const rows = await retried()
      return rows.length === 2 && rows
    })
    expect(first?.attempts).to.equal(1)
    expect(first?.pause).to.be.within(1, 4)
    // e, e^2 … e^10 seconds, and that again and again (graphile-worker).
    const pauses = Array.from({ length: (first?.most ?? 0) - 1 }, (_, i) => Math.exp(Math.min(10, i + 1)))
    expect(pauses.reduce((sum, pause) => sum + pause, 0)).to.be.greaterThan(24 * 3600)
    await until('both delivered', () => told.deliveries.length === 4)
    const ids = told.bodies().map(({ id }) => id)
    expect(new Set(ids).size).to.equal(2)
    expect(ids.slice(2)).to.have.members(ids.slice(0, 2))
  })

  it('to one who hangs keep nobody else waiting', async () => {
    const hanging = await receiver(() => undefined)
    const told = await receiver()
    const share = await shareTelling(hanging.url, told.url)
    await until('the one who hangs', () => hanging.deliveries.length > 0)
    const startedAt = Date.now()
    const clip = await capture(share)
    await until('the clip at rest', () => told.bodies().some(({ event }) => event === 'clip_stored'))
    expect(Date.now() - startedAt).to.be.below(4000)
    expect((await share.call('GET', `/v1/clips/${clip.id}`, { token })).body.stored).to.equal(true)
    await until('the time-out', () => share.lines.some(({ job }) => job === 'send_webhook'), 10_000)
  })

  it('are sent once, however many instances there are, and not forgotten when all were down', async () => {
    const told = await receiver()
    const share = await shareTelling(told.url)
    const env = { REPLAY_WEBHOOK_URLS: told.url }
    const { config, database, clock } = share
    const { dataPath } = config
    const other = await startTestService({ livekitUrl: config.livekit.url, database, dataPath, clock, env })
    stops.push(() => other.stop())
    const clips = await Promise.all(Array.from({ length: 10 }, () => capture(share)))
    const stored = () => told.bodies().filter(({ event }) => event === 'clip_stored')
    await until('all of them', () => stored().length === 10)
    await share.restart()
    await capture(share)
    await until('one more', () => stored().length === 11)
    const ids = told.bodies().map(({ id }) => id)
    expect(new Set(ids).size).to.equal(ids.length)
    expect(stored().map(({ clip }) => clip?.id)).to.include.members(clips.map(({ id }) => id))
  })

  it('leave no trace of their addresses in a row or a log', async () => {
    const told = await receiver((n) => (n === 1 ? 500 : 200))
    const share = await shareTelling(told.url)
    await until('a failure', () => share.lines.some(({ job }) => job === 'send_webhook'))
    const { rows } = await sql<{ text: string }>`
      select coalesce(string_agg(row_to_json(job)::text, ' '), '') as text from graphile_worker._private_jobs as job`.execute(
      share.service.db,
    )
    expect(rows[0]?.text).to.contain('urlKey').and.not.contain('a-secret-of-the-receiver')
    expect(JSON.stringify(share.lines)).not.to.contain('a-secret-of-the-receiver')
  })
})
