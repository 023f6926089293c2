import { expect } from 'chai'
import type { Session, ShareRow } from '../../src/db/schema.ts'
import { roomsThatMatter } from '../../src/session/reconcile-shares.ts'
import { until } from '../support/until.ts'
import { is } from './fault-row.ts'
import { startStage } from './stage.ts'
import { startTwirpStub } from '../support/recording.ts'
import { startTestService } from '../support/service.ts'

const ROOMS = Array.from({ length: 3000 }, (_, index) => ({
  name: `room ${index}`,
  participants: index % 10 === 0 ? 0 : 1,
}))

describe('reconcile beside webhooks that are on their way', () => {
  it('says no more than that it was quicker; of one that did not come it warns', async () => {
    const stage = await startStage({ withoutTicks: true })
    try {
      const said = () => stage.lines.filter(({ message }) => / repaired|before its webhook/.test(message))
      const scene = stage.scene('overtaken')
      scene.strike('loseWebhook', is('egress_started', 'egress_updated'))
      scene.share()
      await until('the egress', () => scene.running()[0]?.status === 'EGRESS_ACTIVE')
      await stage.service.schedules.reconcile()
      expect(said().map(({ level, message }) => [level, message])).to.deep.equal([
        ['info', 'session moved before its webhook came'],
      ])
      stage.lines.length = 0
      const late = stage.scene('missed')
      late.strike('loseWebhook', is('egress_started', 'egress_updated'))
      late.share()
      await until('the egress', () => late.running()[0]?.status === 'EGRESS_ACTIVE')
      stage.clock.offsetMs = 20_000
      await stage.service.schedules.reconcile()
      expect(said().map(({ level, message }) => [level, message])).to.deep.equal([['warn', 'session repaired']])
    } finally {
      await stage.stop()
    }
  })
})

describe('reconcile among thousands of rooms', () => {
  const ours = { shares: [{ room: 'room 7' } as ShareRow], sessions: [{ room: 'gone from LiveKit' } as Session] }

  it('always looks at the rooms that we know something of', () => {
    for (const minute of [0, 1, 2, 12_345])
      expect(roomsThatMatter(ROOMS, ours, minute)).to.include.members(['room 7', 'gone from LiveKit'])
  })

  it('looks at every other room with people in it in turn, some hundreds a minute', () => {
    const parts = 14
    const seen = Array.from({ length: parts }, (_, minute) => roomsThatMatter(ROOMS, ours, 77 + minute))
    for (const rooms of seen) expect(rooms.length).to.be.at.most(202)
    const inhabited = ROOMS.filter(({ participants }) => participants > 0).map(({ name }) => name)
    expect(new Set(seen.flat())).to.deep.equal(new Set([...inhabited, 'gone from LiveKit']))
  })

  it('asks LiveKit a bounded number of questions', async () => {
    const rooms = ROOMS.map(({ name, participants }) => ({ name, num_participants: participants }))
    const livekit = await startTwirpStub({
      ListRooms: () => ({ body: { rooms } }),
      ListParticipants: () => ({ body: { participants: [] } }),
      ListEgress: () => ({ body: { items: [] } }),
    })
    const test = await startTestService({ livekitUrl: livekit.url })
    try {
      livekit.calls.length = 0
      await test.service.schedules.reconcile()
      const count = (method: string) => livekit.calls.filter((call) => call.method === method).length
      expect(count('ListRooms')).to.be.within(1, 2)
      expect(count('ListEgress')).to.be.within(1, 2)
      expect(count('ListParticipants')).to.be.within(190, 400)
    } finally {
      await test.stop()
      await livekit.stop()
    }
  })
})
