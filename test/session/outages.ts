import { expect } from 'chai'
import { sql } from 'kysely'
import type { Session } from '../../src/db/schema.ts'
import { until } from '../support/until.ts'
import { egressClient, fates, inGrace, reconcile, settle, sharing, stopByHand } from './fault-row.ts'
import type { Scene, StageOptions } from './stage.ts'

/** What concerns the whole of LiveKit, or of us: each line has a stage of its own. */
export interface Outage {
  situation: string
  stage?: StageOptions
  plays: (scene: Scene) => Promise<void>
}

const NEVER = 3_600_000

/** The service's clock jumps. */
function later({ stage }: Scene, seconds: number): void {
  stage.clock.offsetMs += seconds * 1000
}

/** Everything that the egress has written so far, and that is something, is in the index. */
async function somethingLanded({ stage, running }: Scene, session: Session): Promise<void> {
  await until('a landed segment', async () => {
    const written = running()[0]?.segmentCount ?? 0
    const { landed } = await stage.service.db
      .selectFrom('segments')
      .select((eb) => eb.fn.countAll<number>().as('landed'))
      .where('session_id', '=', session.id)
      .executeTakeFirstOrThrow()
    return written > 0 && landed === written
  })
}

const endSilent = ({ stage }: Scene) => stage.service.schedules.end_silent()

const firstIs = (scene: Scene, fate: string) =>
  until(`a session ${fate}`, async () => fates(await scene.sessions())[0] === fate)

export const OUTAGES: Outage[] = [
  {
    situation: 'a start for which there is no worker (503) is tried again until there is one',
    stage: { faults: { startUnavailable: true } },
    async plays(scene) {
      scene.share()
      await until('a try in vain', () => scene.stage.lines.some(({ message }) => message === 'egress not started yet'))
      expect(fates(await scene.sessions())).to.deep.equal(['starting'])
      scene.stage.simulator.faults.startUnavailable = false
      await scene.recording()
      expect(await scene.sessions()).to.have.length(1)
    },
  },
  {
    situation: 'a start that is tried in vain ends when its share does',
    stage: { faults: { startUnavailable: true } },
    async plays(scene) {
      const track = scene.share()
      await until('a try in vain', () => scene.stage.lines.some(({ message }) => message === 'egress not started yet'))
      scene.unshare(track)
      await until('nothing left', async () => (await scene.sessions()).length === 0)
    },
  },
  {
    situation: 'an egress whose start answer was lost, and every webhook with it, is found by its path and adopted',
    stage: { faults: { loseStartAnswer: true, loseWebhook: ({ event }) => event.startsWith('egress') } },
    async plays(scene) {
      scene.share()
      await until('the activity', async () => (await reconcile(scene)) || fates(await scene.sessions())[0] === 'active')
      await scene.recording()
      expect(scene.stage.simulator.egresses()).to.have.length(1)
    },
  },
  {
    situation: 'a session whose start was never answered and left no egress is given up, and its share has another',
    stage: { faults: { loseStartAnswer: true, loseWebhook: ({ event }) => event.startsWith('egress') } },
    async plays(scene) {
      scene.share()
      await until('the egress', () => scene.running()[0])
      scene.stage.simulator.killEgressHandler(scene.running()[0]?.egressId ?? '')
      scene.stage.simulator.faults.loseStartAnswer = false
      await until('the end', async () => (await reconcile(scene)) || (await scene.sessions())[0]?.status === 'failed')
      scene.stage.simulator.faults.loseWebhook = 0
      await until('the activity', async () => (await reconcile(scene)) || fates(await scene.sessions())[1] === 'active')
      await scene.recording()
      expect(await scene.sessions()).to.have.length(2)
    },
  },
  {
    situation: 'an egress that runs before its start is answered is one session',
    stage: { faults: { startAnswerDelayMs: 1500 } },
    async plays(scene) {
      await sharing(scene)
      scene.leave()
      await scene.quiet()
      expect(fates(await scene.sessions())).to.deep.equal(['ended left'])
    },
  },
  {
    situation: 'a stop while the egress is starting (412) aborts it',
    stage: { timing: { firstPacketMs: NEVER } },
    async plays(scene) {
      scene.share()
      const session = await until('the start', async () => {
        const [first] = await scene.sessions()
        return first?.egress_id ? first : undefined
      })
      await stopByHand(scene, session.id)
      await scene.quiet()
      expect(fates(await scene.sessions())).to.deep.equal(['ended stopped'])
      expect((await scene.sessions())[0]?.error).to.equal('Stop called before pipeline could start')
    },
  },
  {
    situation: 'an egress that never gets a packet fails after a minute, and its share has another',
    stage: { timing: { firstPacketMs: NEVER } },
    async plays(scene) {
      scene.share()
      await until('the start', async () => Boolean((await scene.sessions())[0]?.egress_id))
      await endSilent(scene)
      expect(fates(await scene.sessions())).to.deep.equal(['starting'])
      later(scene, 61)
      await endSilent(scene)
      await firstIs(scene, 'failed lost')
      await until('the second egress alone', async () => {
        const [, second] = await scene.sessions()
        return second?.egress_id && scene.running().length === 1 && scene.running()[0]?.egressId === second.egress_id
      })
    },
  },
  {
    situation: 'a worker that is killed goes silent: its session is lost and kept, and the share has another',
    async plays(scene) {
      const { session } = await sharing(scene)
      await somethingLanded(scene, session)
      scene.stage.simulator.killEgressWorker(session.egress_id ?? '')
      await endSilent(scene)
      expect(fates(await scene.sessions())).to.deep.equal(['active'])
      later(scene, 16)
      await endSilent(scene)
      await scene.recording()
      const sessions = await scene.sessions()
      expect(fates(sessions)).to.deep.equal(['ended lost', 'active'])
      inGrace(sessions[0])
    },
  },
  {
    situation: 'an egress that ended unheard is not taken for silent, but for ended',
    stage: { faults: { loseWebhook: ({ event }) => event === 'egress_ended' } },
    async plays(scene) {
      const { session } = await sharing(scene)
      await somethingLanded(scene, session)
      scene.stage.simulator.killEgressHandler(session.egress_id ?? '')
      later(scene, 16)
      await endSilent(scene)
      await scene.recording()
      expect(fates(await scene.sessions())).to.deep.equal(['failed failed', 'active'])
    },
  },
  {
    situation: 'egresses that fail again and again (disk full) are started with growing pauses',
    stage: { faults: { diskFull: true } },
    async plays(scene) {
      scene.share()
      const third = await until('the third session', async () => (await scene.sessions())[2])
      expect((await scene.sessions()).map(({ attempt }) => attempt)).to.deep.equal([0, 1, 2])
      expect((await scene.sessions())[0]?.error).to.match(/no space left on device/)
      const { rows } = await sql<{ waits: number }>`
        select extract(epoch from run_at - updated_at)::float8 as waits
        from graphile_worker.jobs where key = ${`start:${third.id}`}`.execute(scene.stage.service.db)
      expect(rows[0]?.waits).to.be.closeTo(5, 0.01)
    },
  },
  {
    situation: 'a stop that LiveKit cannot be asked for (503) is asked for until it can',
    async plays(scene) {
      const { track } = await sharing(scene)
      scene.stage.simulator.faults.egressApiUnavailable = true
      scene.unshare(track)
      const failed = () =>
        scene.stage.lines.some(({ message, job }) => /tried again/.test(message) && job === 'stop_egress')
      await until('a stop in vain', failed)
      scene.stage.simulator.faults.egressApiUnavailable = false
      await scene.quiet()
      expect(fates(await scene.sessions())).to.deep.equal(['ended unshared'])
    },
  },
  {
    situation: 'a LiveKit that does not answer changes nothing, and that is said once',
    async plays(scene) {
      await sharing(scene)
      await settle(scene)
      const { simulator, lines } = scene.stage
      simulator.faults.roomServiceUnavailable = true
      for (let minute = 0; minute < 3; minute += 1) await reconcile(scene)
      simulator.faults.roomServiceUnavailable = false
      simulator.faults.egressApiUnavailable = true
      await reconcile(scene)
      simulator.faults.egressApiUnavailable = false
      await reconcile(scene)
      expect(fates(await scene.sessions())).to.deep.equal(['active'])
      const said = lines.filter(({ message }) => message.startsWith('LiveKit ')).map(({ message }) => message)
      expect(said).to.deep.equal(['LiveKit does not answer, sessions go on as they are', 'LiveKit answers again'])
    },
  },
  {
    situation: 'what happened while no instance ran is made up for at the start',
    async plays(scene) {
      const { track } = await sharing(scene)
      await settle(scene)
      scene.join('bob')
      const { simulator } = scene.stage
      simulator.setWebhookUrls([])
      scene.unshare(track)
      scene.share('bob')
      await scene.stage.restart()
      const bobs = await until('the other recording', async () => {
        const found = (await scene.sessions()).find(({ user_id }) => user_id === 'bob')
        return found?.status === 'active' && found
      })
      await firstIs(scene, 'ended unshared')
      expect(scene.running().map(({ egressId }) => egressId)).to.deep.equal([bobs.egress_id])
    },
  },
  {
    situation: 'a track composite egress gets its audio, and each new track its own egress at once',
    stage: { env: { REPLAY_EGRESS_TYPE: 'track_composite' } },
    async plays(scene) {
      const track = scene.share()
      const audio = scene.stage.simulator.publishShareAudio(scene.room, 'alice').trackSid
      await scene.recording()
      const [first] = await egressClient(scene.stage).listEgress({ roomName: scene.room })
      expect(first?.request.value).to.include({ videoTrackId: track, audioTrackId: audio })
      scene.unshare(track)
      scene.share()
      await until('the second session', async () => (await scene.sessions()).length === 2)
      await scene.recording()
      const sessions = await scene.sessions()
      expect(sessions[0]?.status).to.equal('ended')
      inGrace(sessions[0])
      scene.leave()
      await scene.quiet()
      expect(await scene.sessions()).to.have.length(2)
    },
  },
]
