import { expect } from 'chai'
import { startTwirpStub, type TwirpHandler } from '../support/recording.ts'
import { memberToken, startTestService, type TestService } from '../support/service.ts'
import { until } from '../support/until.ts'

type Fields = Record<string, unknown>

const path = (request: Fields) => String((request['segmentOutputs'] as { filenamePrefix: string }[])[0]?.filenamePrefix)
const at = (prefix: string, sid: string, status: string) => ({
  egress_id: sid,
  room_name: 'stage',
  status,
  segment_results: [{ playlist_name: prefix.replace(/seg$/, 'index.m3u8') }],
})

/** A LiveKit of whose every answer the test decides. */
describe('an egress', () => {
  let test: TestService
  let livekit: Awaited<ReturnType<typeof startTwirpStub>>
  let attributes: Record<string, string>
  let answers: Record<string, TwirpHandler>

  beforeEach(async () => {
    attributes = {}
    answers = {}
    const person = () => ({
      ...{ sid: 'PA_1', identity: 'alice', name: 'Alice', attributes },
      tracks: [{ sid: 'TR_1', source: 'SCREEN_SHARE', width: 1281, height: 719 }],
    })
    const answer =
      (method: string, fallback: TwirpHandler): TwirpHandler =>
      (request) =>
        (answers[method] ?? fallback)(request)
    livekit = await startTwirpStub({
      GetParticipant: answer('GetParticipant', () => ({ body: person() })),
      ListParticipants: answer('ListParticipants', () => ({ body: { participants: [person()] } })),
      ListRooms: answer('ListRooms', () => ({ body: { rooms: [] } })),
      ListEgress: answer('ListEgress', () => ({ body: { items: [] } })),
      StopEgress: answer('StopEgress', () => ({ body: {} })),
      StartParticipantEgress: answer('Start', (request) => ({ body: at(path(request), 'EG_1', 'EGRESS_STARTING') })),
    })
    test = await startTestService({ livekitUrl: livekit.url })
  })
  afterEach(async () => {
    await test.stop()
    await livekit.stop()
  })

  const starts = () => livekit.calls.filter(({ method }) => method === 'StartParticipantEgress')
  const stopped = () =>
    livekit.calls.filter(({ method }) => method === 'StopEgress').map(({ request }) => request['egressId'])
  const sessions = () => test.service.db.selectFrom('egress_sessions').selectAll().orderBy('created_at').execute()
  let events = 0
  const tell = (event: string, fields: object) => {
    events += 1
    const common = { event, id: `EV_${events}`, createdAt: String(Math.floor(Date.now() / 1000)) }
    return test.deliver(JSON.stringify({ ...common, ...fields }))
  }
  const room = { sid: 'RM_1', name: 'stage' }
  const share = () =>
    tell('track_published', {
      room,
      participant: { sid: 'PA_1', identity: 'alice' },
      track: { sid: 'TR_1', type: 'VIDEO', source: 'SCREEN_SHARE' },
    })
  const egressTold = (event: string, prefix: string, egressId: string, status: string) =>
    tell(event, {
      egressInfo: {
        egressId,
        roomName: 'stage',
        status,
        segmentResults: [{ playlistName: prefix.replace(/seg$/, 'index.m3u8') }],
      },
    })

  const QUALITIES = [
    ['720p', { preset: 'H264_720P_30' }],
    ['1080p', { preset: 'H264_1080P_60' }],
    ['1440p', { width: 2560, height: 1440, framerate: 30, videoBitrate: 8000, audioBitrate: 128, audioCodec: 'AAC' }],
  ] as const
  for (const [quality, wanted] of QUALITIES)
    it(`is asked for at ${quality} as the participant wishes, in even sizes, kbps, H.264 and AAC`, async () => {
      attributes = { 'replay.quality': quality }
      await share()
      const { request } = await until('the start', () => starts()[0])
      expect(request).to.include({ roomName: 'stage', identity: 'alice', screenShare: true })
      const asked: Fields = { ...request, ...(request['advanced'] as object) }
      // A preset that is the first of its kind is zero, and left out of the JSON.
      expect({ preset: 'H264_720P_30', ...asked }).to.include(wanted)
      const [output] = asked['segmentOutputs'] as Fields[]
      expect(output).to.include({ playlistName: 'index', livePlaylistName: 'live', segmentDuration: 2 })
      expect((await sessions())[0]).to.include({ username: 'Alice', quality })
    })

  it('that was perhaps started, and is not to be found, never shares its directory with another', async () => {
    answers['Start'] = () => ({ status: 500, body: { code: 'internal', msg: 'handler failed to start' } })
    await share()
    const first = path((await until('the start', () => starts()[0])).request)
    answers['Start'] = (request) => ({ body: at(path(request), 'EG_2', 'EGRESS_STARTING') })
    const second = path((await until('another start', () => starts()[1])).request)
    expect(second).to.not.equal(first)
    await until('its answer', async () => (await sessions())[1]?.egress_id === 'EG_2')
    expect((await sessions()).map(({ status, ended_reason: why }) => `${status} ${why}`)).to.deep.equal([
      'failed lost',
      'starting null',
    ])
    await egressTold('egress_updated', first, 'EG_1', 'EGRESS_ACTIVE')
    await until('the late one to be stopped', () => stopped().includes('EG_1'))
    expect(stopped()).to.deep.equal(['EG_1'])
  })

  it('that is a second one under the path of a session is stopped at once', async () => {
    await share()
    const prefix = path((await until('the start', () => starts()[0])).request)
    await until('its answer', async () => (await sessions())[0]?.egress_id === 'EG_1')
    expect((await egressTold('egress_started', prefix, 'EG_9', 'EGRESS_STARTING')).body.effect).to.equal(
      'unknown_egress',
    )
    await until('the second to be stopped', () => stopped().includes('EG_9'))
    expect((await sessions()).map(({ egress_id }) => egress_id)).to.deep.equal(['EG_1'])
  })

  it('that does not answer to stop while it starts (408) may end all the same, and is not lost yet', async () => {
    answers['StopEgress'] = () => ({ status: 408, body: { code: 'deadline_exceeded', msg: 'request timed out' } })
    await share()
    const prefix = path((await until('the start', () => starts()[0])).request)
    answers['ListEgress'] = () => ({ body: { items: [at(prefix, 'EG_1', 'EGRESS_STARTING')] } })
    const [session] = await until('the binding', async () => {
      const found = await sessions()
      return found[0]?.egress_id === 'EG_1' && found
    })
    await test.call('DELETE', `/v1/sessions/${session?.id}`, { token: await memberToken('alice', 'stage') })
    await until('the stop', () => stopped().length > 0)
    await until('its end', () =>
      test.lines.some(({ message, answer }) => message === 'egress asked to stop' && answer === 'silent'),
    )
    expect((await sessions())[0]?.status).to.equal('stopping')
    await egressTold('egress_ended', prefix, 'EG_1', 'EGRESS_ABORTED')
    expect((await sessions())[0]).to.include({ status: 'ended', ended_reason: 'stopped' })
  })

  it('that does not answer to stop while it runs (408) is lost', async () => {
    answers['StopEgress'] = () => ({ status: 408, body: { code: 'deadline_exceeded', msg: 'request timed out' } })
    await share()
    const prefix = path((await until('the start', () => starts()[0])).request)
    answers['ListEgress'] = () => ({ body: { items: [at(prefix, 'EG_1', 'EGRESS_ACTIVE')] } })
    await egressTold('egress_updated', prefix, 'EG_1', 'EGRESS_ACTIVE')
    const [session] = await sessions()
    await test.call('DELETE', `/v1/sessions/${session?.id}`, { token: await memberToken('alice', 'stage') })
    await until('the end', async () => (await sessions())[0]?.status === 'ended')
  })
})
