import { expect } from 'chai'
import { SegmentedFileOutput } from 'livekit-server-sdk'
import { until } from '../support/until.ts'
import { delivered, egressClient, fates, inGrace, is, reconcile, sharing, type Row } from './fault-row.ts'

/** What becomes of an egress, and of what is told of it (contract sections 5, 7 and 9). */
export const EGRESS_FAULTS: Row[] = [
  {
    situation: 'an egress of which only the end is told was recorded all the same',
    async happens(scene) {
      scene.strike('loseWebhook', is('egress_started', 'egress_updated'))
      scene.share()
      await until('the egress', () => scene.running()[0]?.status === 'EGRESS_ACTIVE')
      scene.leave()
      await scene.quiet()
    },
    mustBe(_, sessions) {
      expect(fates(sessions)).to.deep.equal(['ended left'])
      expect(sessions[0]?.clock_source).to.equal('measured')
    },
  },
  {
    situation: 'a handler that crashes fails its session, and the share has another at once',
    async happens(scene) {
      const { session } = await sharing(scene)
      scene.stage.simulator.killEgressHandler(session.egress_id ?? '')
      await until('the failure', async () => (await scene.sessions())[0]?.status === 'failed')
      await scene.recording()
    },
    mustBe(_, sessions) {
      expect(fates(sessions)).to.deep.equal(['failed failed', 'active'])
      expect(sessions[0]?.error).to.equal('signal: killed')
      inGrace(sessions[0])
    },
  },
  {
    situation: 'an egress that somebody else stops is followed by another, for the share lives',
    async happens(scene) {
      const { session } = await sharing(scene)
      await egressClient(scene.stage).stopEgress(session.egress_id ?? '')
      await until('the end', async () => Boolean((await scene.sessions())[0]?.ended_at))
      await scene.recording()
    },
    mustBe(_, sessions) {
      expect(fates(sessions)).to.deep.equal(['ended egress_ended', 'active'])
      inGrace(sessions[0])
    },
  },
  {
    situation: 'a second end of an egress changes nothing: the first one counts',
    async happens(scene) {
      await sharing(scene)
      scene.leave()
      await scene.quiet()
      const ended = await delivered(scene, 'egress_ended')
      const again = ended.body.replace('EGRESS_COMPLETE', 'EGRESS_FAILED').replace(/"EV_\w+"/, '"EV_anotherEvent"')
      expect((await scene.stage.deliver(again)).body).to.deep.equal({ effect: 'already_past' })
    },
    mustBe: (_, sessions) => void expect(fates(sessions)).to.deep.equal(['ended left']),
  },
  {
    situation: 'an egress that ends before its participant is said to have left has no successor',
    async happens(scene) {
      await sharing(scene)
      scene.strike('lateWebhook', is('participant_left', 'track_unpublished'))
      scene.leave()
      await delivered(scene, 'participant_left')
      await scene.quiet()
    },
    mustBe: (_, sessions) => void expect(fates(sessions)).to.deep.equal(['ended left']),
  },
  {
    situation: 'a second egress under the path of a session is stopped, and the session keeps its own',
    async happens(scene) {
      const { session } = await sharing(scene)
      const path = `${scene.stage.config.egressPath}/${session.id}`
      const segments = new SegmentedFileOutput({ filenamePrefix: `${path}/seg`, playlistName: 'other' })
      await egressClient(scene.stage).startParticipantEgress(scene.room, 'alice', { segments }, { screenShare: true })
      await until('the second to end', () => scene.running().length === 1)
    },
    async mustBe(scene, sessions) {
      expect(fates(sessions)).to.deep.equal(['active'])
      expect((await scene.recording()).id).to.equal(sessions[0]?.id)
    },
  },
  {
    situation: 'an egress under our path that no session ever had is stopped by reconcile',
    async happens(scene) {
      scene.strike('loseWebhook', () => true)
      const path = `${scene.stage.config.egressPath}/01923456-7890-7abc-8def-0123456789ab`
      const segments = new SegmentedFileOutput({ filenamePrefix: `${path}/seg`, playlistName: 'index' })
      await egressClient(scene.stage).startParticipantEgress(scene.room, 'alice', { segments }, { screenShare: true })
      await until('its end', async () => (await reconcile(scene)) || scene.running().length === 0)
    },
    mustBe: (_, sessions) => void expect(sessions).to.deep.equal([]),
  },
  {
    situation: 'a session whose egress LiveKit does not know (404) is lost, and its share has another',
    async happens(scene) {
      const { session } = await sharing(scene)
      const { db } = scene.stage.service
      await db.updateTable('egress_sessions').set({ egress_id: 'EG_forgotten' }).where('id', '=', session.id).execute()
      await reconcile(scene)
      await scene.recording()
    },
    mustBe: (_, sessions) => void expect(fates(sessions)).to.deep.equal(['ended lost', 'active']),
  },
  {
    situation: 'a stop that a killed worker does not answer (408) ends the session, and its buffer stays',
    async happens(scene) {
      const { track, session } = await sharing(scene)
      scene.stage.simulator.killEgressWorker(session.egress_id ?? '')
      scene.unshare(track)
      await scene.quiet()
    },
    mustBe(_, sessions) {
      expect(fates(sessions)).to.deep.equal(['ended unshared'])
      inGrace(sessions[0])
    },
  },
]
