import { expect } from 'chai'
import { until } from '../support/until.ts'
import {
  delivered,
  fates,
  inGrace,
  is,
  outcome,
  reconcile,
  settle,
  sharing,
  stopByHand,
  type Row,
} from './fault-row.ts'

/** What becomes of a share, and of what is told of it (contract sections 4, 6, 7 and 9). */
export const SHARE_FAULTS: Row[] = [
  {
    situation: 'a share off and on again is one session on one egress, and the time between is remembered',
    async happens(scene) {
      const { track } = await sharing(scene)
      scene.unshare(track)
      await until('the linger', async () => Boolean((await scene.sessions())[0]?.share_ended_at))
      scene.share()
      await scene.recording()
    },
    async mustBe(scene, sessions) {
      expect(fates(sessions)).to.deep.equal(['active'])
      const spans = await scene.stage.service.db
        .selectFrom('share_spans')
        .selectAll()
        .where('session_id', '=', sessions[0]?.id ?? '')
        .orderBy('shared_from')
        .execute()
      expect(spans).to.have.length(2)
      expect(Number(spans[0]?.shared_to)).to.be.within(Number(spans[0]?.shared_from), Number(spans[1]?.shared_from))
      expect(spans[1]?.shared_to).to.equal(null)
    },
  },
  {
    situation: 'a share that is on again, of which no word came, is found when its linger is over',
    async happens(scene) {
      const { track } = await sharing(scene)
      scene.strike('loseWebhook', is('track_published'))
      scene.unshare(track)
      const again = scene.share()
      await until('the new track', async () => (await scene.sessions())[0]?.video_track_sid === again)
      await scene.recording()
    },
    mustBe: (_, sessions) => void expect(fates(sessions)).to.deep.equal(['active']),
  },
  {
    situation: 'a share that is off for good ends after the linger, and its buffer stays for its grace',
    async happens(scene) {
      scene.unshare((await sharing(scene)).track)
      await scene.quiet()
    },
    mustBe(_, sessions) {
      expect(fates(sessions)).to.deep.equal(['ended unshared'])
      inGrace(sessions[0])
    },
  },
  {
    situation: 'a participant who leaves takes the session along, and no other begins',
    async happens(scene) {
      await sharing(scene)
      scene.leave()
      await scene.quiet()
    },
    mustBe(_, sessions) {
      expect(fates(sessions)).to.deep.equal(['ended left'])
      inGrace(sessions[0])
    },
  },
  {
    situation: 'the same identity that joins again goes on in its session, with its new sids',
    async happens(scene) {
      const before = (await sharing(scene)).session.participant_sid
      scene.stage.simulator.rejoin(scene.room, 'alice')
      await until('the new sid', async () => (await scene.sessions())[0]?.participant_sid !== before)
      await scene.recording()
    },
    mustBe: (_, sessions) => void expect(fates(sessions)).to.deep.equal(['active']),
  },
  {
    situation: 'a participant_left of the old sid that comes after all of the new one ends nothing',
    async happens(scene) {
      await sharing(scene)
      scene.strike('lateWebhook', is('participant_left', 'track_unpublished'))
      scene.stage.simulator.rejoin(scene.room, 'alice')
      await delivered(scene, 'participant_left')
    },
    mustBe: (_, sessions) => void expect(fates(sessions)).to.deep.equal(['active']),
  },
  {
    situation: 'a share whose track_published was lost is found by reconcile',
    async happens(scene) {
      scene.strike('loseWebhook', is('track_published'))
      scene.share()
      await outcome(scene, 'track_published', 'lost')
      await reconcile(scene)
      await scene.recording()
    },
    mustBe: (_, sessions) => void expect(fates(sessions)).to.deep.equal(['active']),
  },
  {
    situation: 'a share whose every webhook was lost is recorded and ended by reconcile alone',
    async happens(scene) {
      scene.strike('loseWebhook', () => true)
      const track = scene.share()
      await until('the session', async () => (await reconcile(scene)) || (await scene.sessions()).length === 1)
      await until(
        'the activity',
        async () => (await reconcile(scene)) || (await scene.sessions())[0]?.status === 'active',
      )
      scene.unshare(track)
      scene.leave()
      await settle(scene)
      await until('the end', async () => (await reconcile(scene)) || Boolean((await scene.sessions())[0]?.ended_at))
    },
    mustBe(scene, sessions) {
      expect(sessions).to.have.length(1)
      expect(sessions[0]?.clock_source).to.equal('measured')
      expect(scene.running()).to.deep.equal([])
      inGrace(sessions[0])
    },
  },
  {
    situation: 'webhooks that come twice and in another order do once what they do',
    async happens(scene) {
      scene.strike('doubleWebhook', () => true)
      scene.strike('reorderWebhook', () => true)
      const { track } = await sharing(scene)
      scene.unshare(track)
      scene.leave()
      await scene.quiet()
    },
    mustBe: (_, sessions) => void expect(sessions).to.have.length(1),
  },
  {
    situation: 'of two shares by one participant the newer is recorded, and when it ends the older, by another egress',
    async happens(scene) {
      await sharing(scene)
      const newer = scene.share()
      await until('the newer', async () => (await scene.sessions())[0]?.video_track_sid === newer)
      scene.unshare(newer)
      await until('the replacement', async () => (await scene.sessions()).length === 2)
      await scene.recording()
    },
    mustBe: (_, sessions) => void expect(fates(sessions)).to.deep.equal(['ended replaced', 'active']),
  },
  {
    situation: 'a share that goes before its egress was asked for leaves nothing',
    async happens(scene) {
      scene.unshare(scene.share())
      await delivered(scene, 'track_unpublished')
      await scene.quiet()
    },
    mustBe: (scene) => void expect(scene.running()).to.deep.equal([]),
  },
  {
    situation: 'an unpublish that overtakes its publish starts nothing',
    async happens(scene) {
      scene.strike('lateWebhook', is('track_published'))
      scene.unshare(scene.share())
      await delivered(scene, 'track_published')
    },
    mustBe: (_, sessions) => void expect(sessions).to.deep.equal([]),
  },
  {
    situation: 'a room that finishes ends what is left in it',
    async happens(scene) {
      await sharing(scene)
      scene.strike('loseWebhook', is('track_unpublished', 'participant_left', 'egress_updated', 'egress_ended'))
      scene.leave()
      await delivered(scene, 'room_finished')
      await scene.quiet()
    },
    mustBe: (_, sessions) => void expect(fates(sessions)).to.deep.equal(['ended left']),
  },
  {
    situation: 'a room_finished that comes when the room is there again ends nothing in the new one',
    async happens(scene) {
      await sharing(scene)
      scene.strike('lateWebhook', is('room_finished'))
      scene.leave()
      await outcome(scene, 'room_finished', 'pending')
      scene.join()
      await sharing(scene)
      await delivered(scene, 'room_finished')
    },
    mustBe: (_, sessions) => void expect(fates(sessions)).to.deep.equal(['ended left', 'active']),
  },
  {
    situation: 'a share that opts out is stopped within a minute, and one that opts in again is recorded',
    async happens(scene) {
      await sharing(scene)
      scene.stage.simulator.setAttributes(scene.room, 'alice', { 'replay.enabled': 'false' })
      await reconcile(scene)
      await scene.quiet()
      await reconcile(scene)
      expect(await scene.sessions()).to.have.length(1)
      scene.stage.simulator.setAttributes(scene.room, 'alice', { 'replay.enabled': 'true' })
      await reconcile(scene)
      await scene.recording()
    },
    mustBe(_, sessions) {
      expect(fates(sessions)).to.deep.equal(['ended opted_out', 'active'])
      inGrace(sessions[0])
    },
  },
  {
    situation: 'a session stopped by hand is not begun again while its share lives, and its buffer goes at once',
    async happens(scene) {
      const { session } = await sharing(scene)
      await stopByHand(scene, session.id)
      await scene.quiet()
      await reconcile(scene)
    },
    mustBe(_, sessions) {
      expect(fates(sessions)).to.deep.equal(['ended stopped'])
      expect(sessions[0]?.expires_at).to.deep.equal(sessions[0]?.ended_at)
    },
  },
]
