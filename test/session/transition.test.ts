import { expect } from 'chai'
import fc from 'fast-check'
import { SESSION_STATUSES, type SessionStatus } from '../../src/db/schema.ts'
import { endedReason, eventOf, nextStatus, type SessionEvent } from '../../src/session/transition.ts'

const EVENTS: SessionEvent[] = [
  'egress_active',
  'egress_ending',
  'egress_complete',
  'egress_failed',
  'egress_aborted',
  'egress_limit_reached',
  'egress_lost',
  'stop_asked',
  'start_dropped',
  'start_refused',
  'start_again',
]

/** What each event makes of each status; a dash is "already past that". */
const TABLE: Record<SessionEvent, Record<SessionStatus, SessionStatus | '-'>> = {
  egress_active: row('active', '-', '-', '-'),
  egress_ending: row('stopping', 'stopping', '-', '-'),
  egress_complete: row('ended', 'ended', '-', 'ended'),
  egress_failed: row('failed', 'failed', '-', 'failed'),
  egress_aborted: row('ended', 'ended', '-', 'ended'),
  egress_limit_reached: row('ended', 'ended', '-', 'ended'),
  egress_lost: row('failed', 'ended', '-', 'ended'),
  stop_asked: row('stopping', 'stopping', '-', '-'),
  start_dropped: row('ended', '-', 'ended', 'ended'),
  start_refused: row('refused', '-', '-', '-'),
  start_again: row('-', '-', 'starting', '-'),
}

function row(
  starting: SessionStatus | '-',
  active: SessionStatus | '-',
  refused: SessionStatus | '-',
  stopping: SessionStatus | '-',
): Record<SessionStatus, SessionStatus | '-'> {
  return { starting, active, refused, stopping, ended: '-', failed: '-' }
}

const isOver = (status: SessionStatus) => status === 'ended' || status === 'failed'
function play(events: SessionEvent[]): SessionStatus[] {
  let status: SessionStatus = 'starting'
  const past: SessionStatus[] = [status]
  for (const event of events) {
    status = nextStatus(status, event) ?? status
    past.push(status)
  }
  return past
}

describe("a session's status", () => {
  for (const event of EVENTS)
    it(`after ${event} is as the table says, whatever it was`, () => {
      for (const status of SESSION_STATUSES)
        expect(nextStatus(status, event) ?? '-', status).to.equal(TABLE[event][status])
    })

  it('is never left once it is ended or failed, and never goes back, whatever comes', () => {
    const rank = { refused: 0, starting: 0, active: 1, stopping: 2, ended: 3, failed: 3 }
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...EVENTS), { maxLength: 30 }), (events) => {
        const past = play(events)
        for (const [index, status] of past.entries()) {
          const before = past[index - 1] ?? status
          if (isOver(before)) expect(status).to.equal(before)
          expect(rank[status]).to.be.at.least(rank[before])
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('is over once its egress is, in whatever order and however often it is told', () => {
    const told = fc.constantFrom<SessionEvent>('egress_active', 'egress_ending', 'stop_asked')
    const end = fc.constantFrom<SessionEvent>(
      'egress_complete',
      'egress_failed',
      'egress_aborted',
      'egress_limit_reached',
      'egress_lost',
    )
    fc.assert(
      fc.property(fc.array(told), fc.array(end, { minLength: 1 }), fc.infiniteStream(fc.nat()), (runs, ends, order) => {
        const events = [...runs, ...ends, ...runs]
          .map((event) => ({ event, at: order.next().value }))
          .toSorted((a, b) => a.at - b.at)
          .map(({ event }) => event)
        const last = play(events).at(-1) ?? 'starting'
        expect(isOver(last)).to.equal(true)
        // The first end that was told counts.
        const first = events.find((event) => ends.includes(event))
        if (first === 'egress_complete') expect(last).to.equal('ended')
        if (first === 'egress_failed') expect(last).to.equal('failed')
      }),
      { numRuns: 2000 },
    )
  })

  it('stays as it is at an egress that starts, which a session knows already', () => {
    expect(eventOf('starting')).to.equal(undefined)
    expect(eventOf('limit_reached')).to.equal('egress_limit_reached')
  })

  it('ends for the reason that was known first, save that a participant who left did not only unshare', () => {
    expect(endedReason('stopped', 'egress_failed', undefined)).to.equal('stopped')
    expect(endedReason(null, 'egress_failed', undefined)).to.equal('failed')
    expect(endedReason(null, 'egress_lost', undefined)).to.equal('lost')
    expect(endedReason('unshared', 'egress_lost', undefined)).to.equal('unshared')
    expect(endedReason(null, 'egress_limit_reached', undefined)).to.equal('limit')
    expect(endedReason(null, 'egress_complete', undefined)).to.equal('egress_ended')
    expect(endedReason('unshared', 'egress_complete', 'participant')).to.equal('left')
    expect(endedReason(null, 'egress_complete', 'track_composite')).to.equal('unshared')
    expect(endedReason('replaced', 'egress_complete', 'track_composite')).to.equal('replaced')
  })
})
