import { createHash } from 'node:crypto'
import { expect } from 'chai'
import { startSimulator, type Simulator } from '../../src/simulator/simulator.ts'
import { openEvents } from '../support/events.ts'
import { API_KEY, API_SECRET, memberToken, startTestService, type TestService } from '../support/service.ts'
import { until } from '../support/until.ts'

describe("a client's whole life", () => {
  let simulator: Simulator
  let test: TestService
  let token: string

  before(async () => {
    simulator = await startSimulator({ apiKey: API_KEY, apiSecret: API_SECRET })
    const env = { REPLAY_NOTIFY_ROOM: 'true', REPLAY_SEGMENT_DURATION_SECONDS: '1' }
    test = await startTestService({ livekitUrl: simulator.url, env })
    simulator.setWebhookUrls([`${test.url}/webhooks/livekit`])
    token = await memberToken('alice', 'stage')
    simulator.join('stage', { identity: 'alice', name: 'Alice' })
    simulator.join('stage', { identity: 'bob', name: 'Bob' })
    simulator.publishShare('stage', 'alice')
  })
  after(async () => {
    await simulator.stop()
    await test.stop()
  })

  it('is: sees the buffers of its room, captures, hears of it, plays, downloads, shares a link, deletes', async () => {
    const events = await openEvents(test.url, token)
    await events.next('session_active')
    const session = await until('the buffer', async () => {
      const { body } = await test.call('GET', '/v1/sessions?room=stage', { token })
      return body.sessions[0]?.coverage.coveredSeconds > 3 && body.sessions[0]
    })
    expect(session).to.include({ userId: 'alice', room: 'stage', status: 'active' })
    expect((await fetch(session.links.poster)).headers.get('content-type')).to.equal('image/jpeg')

    const pressed = { token, body: { lastSeconds: 3, title: '得点' }, headers: { prefer: 'respond-async' } }
    const { status, body: pressedClip } = await test.call('POST', `/v1/sessions/${session.id}/clips`, pressed)
    expect({ status, clip: pressedClip.status }).to.deep.equal({ status: 202, clip: 'waiting' })
    await events.next('clip_waiting', ({ data }) => data.clipId === pressedClip.id)
    const { data } = await events.next('clip_ready', (event) => event.data.clipId === pressedClip.id)
    await plays(data.clip.links.playlist)
    const stored = (await events.next('clip_stored')).data.clip
    expect(stored.coverage.complete).to.equal(true)

    const bytes = await downloadInParts(stored.links.file)
    expect(createHash('sha256').update(bytes).digest('hex')).to.equal(stored.sha256)
    const library = await test.call('GET', '/v1/clips', { token })
    expect(library.body.clips.map((clip: { id: string }) => clip.id)).to.deep.equal([stored.id])

    const shared = await fetch(`${stored.links.file}&download=1`)
    expect(shared.headers.get('content-disposition')).to.match(
      /^attachment; filename="\?+\.mp4"; filename\*=UTF-8''%E5/,
    )
    await shared.body?.cancel()

    const deleted = await test.call('DELETE', `/v1/clips/${stored.id}`, { token })
    expect(deleted.body).to.deep.equal({ freedBytes: bytes.length, remainingQuotaBytes: test.config.quotaBytes })
    await events.next('clip_deleted')
    expect((await fetch(stored.links.file)).status).to.equal(404)
    await events.close()
  }).timeout(60_000)

  it('needs no second connection: its room is told by LiveKit data messages, and of a clip only its owner', async () => {
    simulator.leave('stage', 'alice')
    const messages = await until(
      'the end of the buffer',
      () => {
        const sent = simulator
          .dataSent()
          .map(({ data, ...message }) => ({ ...message, ...(JSON.parse(data) as object) }))
        return sent.some((message) => 'event' in message && message.event === 'session_ended') && sent
      },
      30_000,
    )
    const facts = messages.map((message) => {
      const { event, topic, destinationIdentities } = message as unknown as Record<string, unknown>
      return [event, topic, destinationIdentities]
    })
    expect(facts).to.deep.equal([
      ['session_active', 'replay', []],
      ['clip_ready', 'replay', ['alice']],
      ['session_ended', 'replay', []],
    ])
    expect(JSON.stringify(messages)).not.to.contain('token')
  }).timeout(40_000)
})

/** As a player does: the playlist, and all that it names. */
async function plays(link: string): Promise<void> {
  const playlist = await (await fetch(link)).text()
  expect(playlist).to.match(/#EXT-X-ENDLIST/)
  const names = [/URI="([^"]+)"/.exec(playlist)?.[1] ?? '', ...(playlist.match(/^fragment-.*$/gm) ?? [])]
  expect(names.length).to.be.greaterThan(2)
  for (const name of names) {
    const answer = await fetch(new URL(name, link))
    expect(answer.status, name).to.equal(200)
    await answer.arrayBuffer()
  }
}

/** A download that broke in the middle, and goes on. */
async function downloadInParts(link: string): Promise<Buffer> {
  const abort = new AbortController()
  const first = await fetch(link, { signal: abort.signal })
  const etag = first.headers.get('etag') ?? ''
  const { value = new Uint8Array() } = (await first.body?.getReader().read()) ?? {}
  abort.abort()
  const kept = Buffer.from(value).subarray(0, 10_000)
  const rest = await fetch(link, { headers: { range: `bytes=${kept.length}-`, 'if-range': etag } })
  expect(rest.status).to.equal(206)
  return Buffer.concat([kept, Buffer.from(await rest.arrayBuffer())])
}
