import { AccessToken } from 'livekit-server-sdk'
import { KEY, statusOf, until, type Run } from './run.ts'

export type Answer = { path: string; status: number; type: string | null; text: string }

/** Does once more what was done when the recordings were made. */
export async function repeatRecordings(run: Run): Promise<Answer[]> {
  const answers: Answer[] = []
  const call = caller(run, answers)
  await Promise.all([participantStopped(run, call), trackCompositeEnded(run, call), nothingToRecord(run, call)])
  await stoppedWhileStarting(run, call)
  await egressKilled(run, call)
  return answers
}

type Call = (method: string, request: object) => Promise<{ egress_id: string }>

function caller(run: Run, answers: Answer[]): Call {
  return async (method, request) => {
    const token = new AccessToken(KEY.apiKey, KEY.apiSecret, { ttl: 600 })
    token.addGrant({ roomRecord: true })
    const path = `/twirp/livekit.Egress/${method}`
    const response = await fetch(run.simulator.url + path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json;charset=UTF-8', Authorization: `Bearer ${await token.toJwt()}` },
      body: JSON.stringify(request),
    })
    const text = await response.text()
    answers.push({ path, status: response.status, type: response.headers.get('content-type'), text })
    return JSON.parse(text) as { egress_id: string }
  }
}

function startRequest(run: Run, room: string, identity: string) {
  return { roomName: room, identity, screenShare: true, segmentOutputs: [output(run, identity)] }
}

function output(run: Run, name: string) {
  const { filenamePrefix, playlistName, livePlaylistName, segmentDuration } = run.output(name)
  return { filenamePrefix, playlistName, segmentDuration, livePlaylistName }
}

async function participantStopped(run: Run, call: Call): Promise<void> {
  const { simulator } = run
  simulator.join('stage-1', { identity: 'alice' })
  const video = simulator.publishShare('stage-1', 'alice', { width: 1280, height: 720 })
  const { egress_id: egressId } = await call('StartParticipantEgress', startRequest(run, 'stage-1', 'alice'))
  await call('ListEgress', { egressId })
  const audio = simulator.publishShareAudio('stage-1', 'alice')
  await until('a landed segment', () => landedOf(run, egressId) > 0)
  await call('ListEgress', { egressId })
  simulator.unpublish('stage-1', 'alice', audio.trackSid)
  simulator.unpublish('stage-1', 'alice', video.trackSid)
  await call('StopEgress', { egressId })
  await until('the end', () => statusOf(run, egressId) === 'EGRESS_COMPLETE')
  await call('ListEgress', { egressId })
  await call('StopEgress', { egressId })
  await call('StopEgress', { egressId: 'EG_nonexistent' })
  await call('ListEgress', { egressId: 'EG_nonexistent' })
  simulator.leave('stage-1', 'alice')
}

async function trackCompositeEnded(run: Run, call: Call): Promise<void> {
  const { simulator } = run
  simulator.join('r-track', { identity: 'carol' })
  const { trackSid } = simulator.publishShare('r-track', 'carol', { width: 1280, height: 720 })
  const request = { roomName: 'r-track', videoTrackId: trackSid, segmentOutputs: [output(run, 'carol')] }
  const { egress_id: egressId } = await call('StartTrackCompositeEgress', request)
  await until('a landed segment', () => landedOf(run, egressId) > 0)
  simulator.unpublish('r-track', 'carol', trackSid)
  await until('the end', () => statusOf(run, egressId) === 'EGRESS_COMPLETE')
  await call('ListEgress', { egressId })
  simulator.leave('r-track', 'carol')
}

async function nothingToRecord(run: Run, call: Call): Promise<void> {
  const { simulator } = run
  await call('StartParticipantEgress', startRequest(run, 'r-none', 'nobody'))
  simulator.join('r-nb', { identity: 'jo' })
  const unknown = await call('StartParticipantEgress', startRequest(run, 'r-nb', 'nosuch'))
  const idle = await call('StartParticipantEgress', startRequest(run, 'r-nb', 'jo'))
  await until('the failure', () => statusOf(run, unknown.egress_id) === 'EGRESS_FAILED')
  await call('StopEgress', { egressId: unknown.egress_id })
  simulator.leave('r-nb', 'jo')
  await until('the abortion', () => statusOf(run, idle.egress_id) === 'EGRESS_ABORTED')
}

async function stoppedWhileStarting(run: Run, call: Call): Promise<void> {
  run.simulator.join('r-ss', { identity: 'ivy' })
  run.simulator.publishShare('r-ss', 'ivy', { width: 1280, height: 720 })
  const { egress_id: egressId } = await call('StartParticipantEgress', startRequest(run, 'r-ss', 'ivy'))
  await call('StopEgress', { egressId })
  await call('ListEgress', { egressId })
}

async function egressKilled(run: Run, call: Call): Promise<void> {
  run.simulator.join('r-ghost', { identity: 'erin' })
  run.simulator.publishShare('r-ghost', 'erin', { width: 1280, height: 720 })
  const { egress_id: egressId } = await call('StartParticipantEgress', startRequest(run, 'r-ghost', 'erin'))
  await until('an active egress', () => statusOf(run, egressId) === 'EGRESS_ACTIVE')
  const segmentOutputs = [output(run, 'none')]
  await call('StartTrackCompositeEgress', { roomName: 'r-ss', videoTrackId: 'TR_VSnope', segmentOutputs })
  run.simulator.killEgressWorker()
  await call('ListEgress', { egressId })
  await call('StopEgress', { egressId })
  await call('StartParticipantEgress', startRequest(run, 'r-ghost', 'erin'))
  await call('ListEgress', { roomName: 'r-ghost', active: true })
  await until('the dead worker to time out', () =>
    run.receiver.deliveries.some(({ body }) => body.includes('CONNECTION_TIMEOUT')),
  )
  await until('the rooms to close', () => run.receiver.names().filter((name) => name === 'room_finished').length === 3)
}

function landedOf(run: Run, egressId: string): number {
  return run.simulator.egresses().find((one) => one.egressId === egressId)?.segmentCount ?? 0
}
