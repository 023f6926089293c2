import { readdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { DataPacket_Kind, EncodingOptions, TrackSource } from '@livekit/protocol'
import { EgressClient, RoomServiceClient } from 'livekit-server-sdk'
import { expect } from 'chai'
import { errorOf, record, startRun, statusOf, until, type Run } from './run.ts'
import { startStillWriter } from './still-writer.ts'

const QUICK = {
  egressStartDelayMs: 10,
  startAnswerMs: 5,
  joinMs: 5,
  firstPacketMs: 10,
  activeMs: 10,
  landingLagMs: 20,
  endedMs: 5,
  stopUnansweredMs: 30,
  startUnansweredMs: 30,
  connectionTimeoutMs: 50,
  roomFinishedMs: 50,
  webhookDelayMs: 1,
  webhookRetryScale: 0.01,
}

describe('a simulated LiveKit in trouble', () => {
  let run: Run
  beforeEach(async () => {
    run = await startRun({ timing: QUICK, startWriter: startStillWriter })
    run.simulator.join('stage', { identity: 'alice', attributes: { 'replay.quality': '720p' } })
    run.simulator.publishShare('stage', 'alice')
  })
  afterEach(() => run.stop())

  const delivered = (name: string) => run.receiver.deliveries.filter(({ event }) => event.event === name)

  describe('stop calls', () => {
    it('are refused with 412 when the egress has ended, 404 when it never was', async () => {
      const egressId = await record(run, 'stage', 'alice')
      await run.egress.stopEgress(egressId)
      await until('the end', () => statusOf(run, egressId) === 'EGRESS_COMPLETE')

      const ended = await errorOf(run.egress.stopEgress(egressId))
      expect(ended).to.include({ status: 412, code: 'failed_precondition' })
      expect(ended.message).to.equal('egress with status EGRESS_COMPLETE cannot be stopped')
      const unknown = await errorOf(run.egress.stopEgress('EG_nonexistent'))
      expect(unknown).to.include({ status: 404, code: 'not_found' })
      expect(unknown.message).to.equal('twirp error unknown: egress does not exist')
    })

    it('time out with 408 when the worker was killed, and the egress stays active without a webhook', async () => {
      const egressId = await record(run, 'stage', 'alice')
      await until('egress_updated', () => delivered('egress_updated')[0])
      run.simulator.killEgressWorker()

      expect(await errorOf(run.egress.stopEgress(egressId))).to.include({ status: 408, code: 'deadline_exceeded' })
      await until('its participant to time out', () => delivered('participant_left').length > 0)
      const [info] = await run.egress.listEgress({ active: true })
      expect(info?.egressId).to.equal(egressId)
      expect(delivered('egress_updated')).to.have.length(1)
      expect(delivered('egress_ended')).to.deep.equal([])
    })
  })

  it('answers 503 to a start when its worker was killed, and starts again when there is one', async () => {
    run.simulator.killEgressWorker()
    const error = await errorOf(record(run, 'stage', 'alice'))
    expect(error).to.include({ status: 503, code: 'unavailable' })
    run.simulator.startEgressWorker()
    expect(await record(run, 'stage', 'alice')).to.match(/^EG_/)
  })

  it('reports a killed handler as failed, and leaves the playlist without an end', async () => {
    const egressId = await record(run, 'stage', 'alice')
    await until('a segment', () => run.simulator.egresses()[0]?.segmentCount)
    run.simulator.killEgressHandler(egressId)

    const ended = await until('egress_ended', () => delivered('egress_ended')[0])
    expect(ended.event.egressInfo).to.include({ error: 'signal: killed', errorCode: 500, status: 4 })
    expect(await run.read('alice', 'index.m3u8')).to.not.contain('ENDLIST')
  })

  it('fails an egress when the disk is full, and leaves half a segment behind', async () => {
    await record(run, 'stage', 'alice')
    run.simulator.faults.diskFull = true

    const ended = await until('egress_ended', () => delivered('egress_ended')[0])
    expect(ended.event.egressInfo?.error).to.match(
      /^Local upload failed: write .*seg_\d+\.ts: no space left on device$/,
    )
    expect(await readdir(path.join(run.directory, 'alice'))).to.deep.equal(['seg_00000.ts'])
  })

  it('makes its directory again when somebody deleted it', async () => {
    const egressId = await record(run, 'stage', 'alice')
    await until('a segment', () => run.simulator.egresses()[0]?.segmentCount)
    await rm(path.join(run.directory, 'alice'), { recursive: true, maxRetries: 5 })
    await run.egress.stopEgress(egressId)
    await until('the end', () => statusOf(run, egressId) === 'EGRESS_COMPLETE')
    expect(await readdir(path.join(run.directory, 'alice'))).to.include('index.m3u8')
  })

  it('goes silent with a silent worker', async () => {
    run.simulator.faults.silentWorker = true
    const egressId = await record(run, 'stage', 'alice')
    expect(run.simulator.egresses()).to.have.nested.property('[0].dead', true)
    expect(await errorOf(run.egress.stopEgress(egressId))).to.include({ status: 408 })
  })

  it('may run an egress though the start answer was lost, or comes late', async () => {
    run.simulator.faults.loseStartAnswer = true
    await errorOf(record(run, 'stage', 'alice', 'lost'))
    expect(run.simulator.egresses()).to.have.length(1)

    Object.assign(run.simulator.faults, { loseStartAnswer: false, startAnswerDelayMs: 100 })
    const call = record(run, 'stage', 'alice', 'late')
    await until('the second egress to be active', () => run.simulator.egresses()[1]?.status === 'EGRESS_ACTIVE')
    await call
  })

  it('answers 503 where it is told to', async () => {
    Object.assign(run.simulator.faults, {
      startUnavailable: true,
      egressApiUnavailable: true,
      roomServiceUnavailable: true,
    })
    const calls = [
      () => record(run, 'stage', 'alice'),
      () => run.egress.listEgress(),
      () => run.rooms.listParticipants('stage'),
    ]
    for (const call of calls) {
      expect(await errorOf(call())).to.include({ status: 503, code: 'unavailable' })
    }
  })

  describe('webhooks', () => {
    it('are tried again with the same id after a 500, and not after a 400', async () => {
      await until('the webhooks so far', () => run.receiver.deliveries.length === 3)
      run.receiver.answerWith(500, 503, 200, 400)
      run.simulator.leave('stage', 'alice')
      await until('room_finished', () => run.receiver.names().includes('room_finished'))

      expect(run.receiver.names().slice(3)).to.deep.equal([
        'track_unpublished',
        'track_unpublished',
        'track_unpublished',
        'participant_left',
        'room_finished',
      ])
      expect(new Set(delivered('track_unpublished').map(({ event }) => event.id)).size).to.equal(1)
    })

    it('are dropped after five tries', async () => {
      await until('the webhooks so far', () => run.receiver.deliveries.length === 3)
      run.receiver.answerWith(500, 500, 500, 500, 500)
      run.simulator.join('stage', { identity: 'bob' })
      await until('the drop', () => run.simulator.webhooksSent().some(({ outcome }) => outcome === 'dropped'))
      const joined = delivered('participant_joined').map(({ event }) => event.participant?.identity)
      expect(joined).to.deep.equal(['alice', 'bob', 'bob', 'bob', 'bob', 'bob'])
    })

    it('are lost, doubled and reordered as the faults say, and the same again with the same seed', async () => {
      const faults = { loseWebhook: 0.3, doubleWebhook: 0.3, reorderWebhook: 0.3 }
      const orders = []
      for (const seed of [7, 7, 8]) {
        const other = await startRun({ timing: QUICK, seed, faults })
        for (let i = 0; i < 20; i++) other.simulator.join('stage', { identity: `p${i}` })
        await until('all to be decided', () =>
          other.simulator.webhooksSent().every(({ outcome }) => outcome !== 'pending'),
        )
        await other.simulator.stop()
        orders.push(other.receiver.deliveries.map(({ event }) => event.participant?.identity ?? 'room').join(' '))
        await other.stop()
      }
      expect(orders[0]).to.equal(orders[1])
      expect(orders[0]).to.not.equal(orders[2])
    })

    it('come late, overtaken by those behind them', async () => {
      await until('the webhooks so far', () => run.receiver.deliveries.length === 3)
      Object.assign(run.simulator.faults, {
        lateWebhook: (event: { event: string }) => event.event === 'participant_left',
      })
      run.simulator.faults.lateByMs = 200
      run.simulator.leave('stage', 'alice')
      await until('all of them', () => run.receiver.deliveries.length === 6)
      expect(run.receiver.names().slice(3)).to.deep.equal(['track_unpublished', 'room_finished', 'participant_left'])
    })
  })
})

describe("LiveKit's own clients at the simulator", () => {
  let run: Run
  before(async () => {
    run = await startRun({ timing: QUICK, startWriter: startStillWriter })
    run.simulator.join('stage', { identity: 'alice' })
    run.simulator.publishShare('stage', 'alice', { width: 1920, height: 1080 })
  })
  after(() => run.stop())

  it('see rooms, participants, tracks and attributes, and may send data', async () => {
    run.simulator.setAttributes('stage', 'alice', { 'replay.enabled': 'true' })
    const alice = await run.rooms.getParticipant('stage', 'alice')
    expect(alice.attributes).to.deep.equal({ 'replay.enabled': 'true' })
    expect(alice.tracks.map(({ source, width }) => ({ source, width }))).to.deep.equal([
      { source: TrackSource.SCREEN_SHARE, width: 1920 },
    ])
    expect((await run.rooms.listRooms()).map(({ name, numParticipants }) => [name, numParticipants])).to.deep.equal([
      ['stage', 1],
    ])
    expect(await run.rooms.listParticipants('unknown')).to.deep.equal([])
    expect(await errorOf(run.rooms.getParticipant('stage', 'bob'))).to.include({ status: 404, code: 'not_found' })
    await run.rooms.sendData('stage', Buffer.from('hello'), DataPacket_Kind.RELIABLE, { topic: 'replay' })
    expect(run.simulator.dataSent()).to.have.nested.property('[0].data', 'hello')
  })

  it('are refused with a wrong key, a wrong secret or without a grant', async () => {
    const wrongKey = new EgressClient(run.simulator.url, 'otherkey', 'secretsecretsecretsecretsecretsecret')
    expect(await errorOf(wrongKey.listEgress())).to.include({ status: 401 })
    const wrongSecret = new RoomServiceClient(run.simulator.url, 'devkey', 'another')
    expect(await errorOf(wrongSecret.listRooms())).to.include({ status: 401 })
    const response = await fetch(`${run.simulator.url}/twirp/livekit.Egress/ListEgress`, { method: 'POST', body: '{}' })
    expect(await response.json()).to.deep.equal({ code: 'unauthenticated', msg: 'permissions denied' })
  })

  it('are refused with an odd width, and with twice the same playlist', async () => {
    const options = { screenShare: true, encodingOptions: new EncodingOptions({ width: 1281, height: 720 }) }
    const outputs = { segments: run.output('odd') }
    const odd = await errorOf(run.egress.startParticipantEgress('stage', 'alice', outputs, options))
    expect(odd).to.include({ status: 400, code: 'invalid_argument' })
    expect(odd.message).to.contain('width')
    outputs.segments.livePlaylistName = 'index'
    expect(await errorOf(run.egress.startParticipantEgress('stage', 'alice', outputs))).to.include({ status: 400 })
  })

  it('keep one egress when the same identity joins again, with new sids', async () => {
    const egressId = await record(run, 'stage', 'alice')
    const before = await run.rooms.getParticipant('stage', 'alice')
    const again = run.simulator.rejoin('stage', 'alice')

    expect(again.participantSid).to.not.equal(before.sid)
    expect(again.trackSids).to.not.deep.equal(before.tracks.map(({ sid }) => sid))
    expect(statusOf(run, egressId)).to.equal('EGRESS_ACTIVE')
    const left = await until('participant_left', () =>
      run.receiver.deliveries.find(({ event }) => event.event === 'participant_left'),
    )
    expect(left.body).to.contain('"disconnectReason":"DUPLICATE_IDENTITY"')
  })
})
