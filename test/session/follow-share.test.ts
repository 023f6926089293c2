import { expect } from 'chai'
import fc from 'fast-check'
import { decideBeginning } from '../../src/session/begin.ts'
import { followShare, latestShare, type CurrentSession, type KnownShare } from '../../src/session/follow-share.ts'
import { nextStatus, type SessionEvent } from '../../src/session/transition.ts'

/*
 * The decisions alone, without a database: what is told of one user's shares in any
 * order, doubled and mixed with what is told of egresses, comes to what the facts say.
 */

/** What really happened to one track. Participants come again under another sid. */
interface Fact {
  trackSid: string
  participantSid: string
  publishedAt: number
  isUnpublished: boolean
}

type Told =
  | { told: 'published' | 'unpublished'; fact: Fact }
  | { told: 'left' | 'connection_aborted' | 'room_finished'; participants: string[] }
  | { told: 'egress'; event: SessionEvent; ofSession: number }
  | { told: 'linger_over' | 'stopped_by_user' }

type Model = ReturnType<typeof createModel>
type ModelSession = Omit<CurrentSession, 'status'> & { status: string; tracks: string[] }

const CONFIG = { autoStart: 'screen_share', quality: '1080p' } as const
const CURRENT = new Set(['starting', 'active', 'refused'])

function createModel(egressType: CurrentSession['egressType']) {
  return { egressType, shares: new Map<string, KnownShare>(), left: new Set<string>(), sessions: [] as ModelSession[] }
}

const currentOf = ({ sessions }: Model) => sessions.find(({ status }) => CURRENT.has(status))

function follow(model: Model): void {
  const session = currentOf(model)
  const step = followShare(session as CurrentSession | undefined, [...model.shares.values()])
  const begin = (share: KnownShare) => {
    const before = model.sessions.findLast(({ tracks }) => tracks.includes(share.trackSid))
    const known = before && ({ ...before, ended_reason: before.endedReason, ended_at: null } as never)
    if (!decideBeginning(known, undefined, CONFIG).begins) return
    const fresh = { status: 'starting', egressType: model.egressType, shareEndedAt: null, endedReason: null }
    model.sessions.push({ ...fresh, isAsked: true, trackSid: share.trackSid, tracks: [share.trackSid] })
  }
  if (step.step === 'start') begin(step.share)
  if (!session) return
  if (step.step === 'continue') {
    session.tracks.push(step.share.trackSid)
    Object.assign(session, { trackSid: step.share.trackSid, shareEndedAt: null, endedReason: null })
  } else if (step.step === 'linger')
    Object.assign(session, { shareEndedAt: session.shareEndedAt ?? new Date(0), endedReason: step.reason })
  else if (step.step === 'replace') {
    apply(session, 'stop_asked', 'replaced')
    begin(step.share)
  }
}

function apply(session: ModelSession, event: SessionEvent, reason: string | null): void {
  const status = nextStatus(session.status as CurrentSession['status'], event)
  if (status) Object.assign(session, { status, endedReason: session.endedReason ?? reason })
}

function gone(model: Model, { trackSid, publishedAt }: Fact, goneReason: 'unshared' | 'left'): void {
  const known = model.shares.get(trackSid) ?? { trackSid, publishedAt: new Date(publishedAt), goneAt: null, goneReason }
  model.shares.set(trackSid, { ...known, goneAt: known.goneAt ?? new Date(0), goneReason })
}

function tell(model: Model, facts: Fact[], told: Told): void {
  if (told.told === 'published') {
    const { trackSid, participantSid, publishedAt } = told.fact
    const known = { trackSid, publishedAt: new Date(publishedAt), goneAt: null, goneReason: null }
    if (model.left.has(participantSid)) gone(model, told.fact, 'left')
    else if (!model.shares.has(trackSid)) model.shares.set(trackSid, known)
  } else if (told.told === 'unpublished') gone(model, told.fact, 'unshared')
  else if (told.told === 'egress') {
    const session = model.sessions[told.ofSession % Math.max(1, model.sessions.length)]
    if (session) apply(session, told.event, null)
  } else if (told.told === 'linger_over') {
    const session = currentOf(model)
    if (session?.shareEndedAt) apply(session, 'stop_asked', 'unshared')
  } else if (told.told === 'stopped_by_user') {
    const session = currentOf(model)
    if (session) Object.assign(session, { status: 'stopping', endedReason: 'stopped' })
  } else if ('participants' in told) {
    for (const sid of told.participants) model.left.add(sid)
    for (const fact of facts)
      if (told.participants.includes(fact.participantSid) && model.shares.has(fact.trackSid)) gone(model, fact, 'left')
  }
  follow(model)
}

const facts = fc.uniqueArray(
  fc.record({
    trackSid: fc.constantFrom('TR_a', 'TR_b', 'TR_c', 'TR_d'),
    participantSid: fc.constantFrom('PA_1', 'PA_2'),
    publishedAt: fc.integer({ min: 0, max: 3 }),
    isUnpublished: fc.boolean(),
  }),
  { selector: ({ trackSid }) => trackSid },
)

const ENDS: SessionEvent[] = [
  'egress_complete',
  'egress_failed',
  'egress_aborted',
  'egress_limit_reached',
  'egress_lost',
]
const egressTold = fc.record({
  told: fc.constant('egress' as const),
  event: fc.constantFrom<SessionEvent>('egress_active', 'egress_ending', ...ENDS),
  ofSession: fc.nat(5),
})

const history = fc.record({
  facts,
  leavers: fc.subarray(['PA_1', 'PA_2']),
  isRoomFinished: fc.boolean(),
  others: fc.array(fc.oneof(egressTold, fc.constant({ told: 'linger_over' as const })), { maxLength: 8 }),
  order: fc.infiniteStream(fc.nat()),
  repeats: fc.infiniteStream(fc.boolean()),
  egressType: fc.constantFrom('participant' as const, 'track_composite' as const),
})

type History = typeof history extends fc.Arbitrary<infer T> ? T : never

const survivors = ({ facts: all, leavers, isRoomFinished }: History) =>
  all.filter((fact) => !fact.isUnpublished && !leavers.includes(fact.participantSid) && !isRoomFinished)

/** Everything that happened, some of it twice, in any order. */
function tellAll(past: History, model: Model, more: Told[] = []): void {
  const once: Told[] = [
    ...past.facts.map((fact) => ({ told: 'published' as const, fact })),
    ...past.facts.filter(({ isUnpublished }) => isUnpublished).map((fact) => ({ told: 'unpublished' as const, fact })),
    ...past.leavers.map((participantSid, index) => ({
      told: index === 0 ? ('left' as const) : ('connection_aborted' as const),
      participants: [participantSid],
    })),
    ...(past.isRoomFinished ? [{ told: 'room_finished' as const, participants: ['PA_1', 'PA_2'] }] : []),
    ...past.others,
    ...more,
  ]
  const all = once.flatMap((told) => (past.repeats.next().value ? [told, told] : [told]))
  const order = all.map((told) => ({ told, at: past.order.next().value })).toSorted((a, b) => a.at - b.at)
  for (const { told } of order) tell(model, past.facts, told)
}

describe('a session and its share, told in any order', () => {
  it('come to one session for the latest living share, and to none without one', () => {
    fc.assert(
      fc.property(history, (past) => {
        const model = createModel(past.egressType)
        tellAll(past, model)
        const living = latestShare(
          survivors(past).map((fact) => ({
            ...fact,
            publishedAt: new Date(fact.publishedAt),
            goneAt: null,
            goneReason: null,
          })),
        )
        // The last egress event may have ended a session after which nothing was told: reconcile follows once more.
        follow(model)
        const current = model.sessions.filter(({ status }) => CURRENT.has(status))
        if (!living) expect(current.every(({ shareEndedAt }) => shareEndedAt !== null)).to.equal(true)
        else {
          expect(current).to.have.length(1)
          expect(current[0]).to.include({ trackSid: living.trackSid, shareEndedAt: null })
        }
      }),
      { numRuns: 5000 },
    )
  })

  it('never bring back a session that is over, or a share that its user stopped', () => {
    fc.assert(
      fc.property(history, (past) => {
        const model = createModel(past.egressType)
        tellAll(past, model, [{ told: 'stopped_by_user' }])
        for (const [index, stopped] of model.sessions.entries()) {
          if (stopped.endedReason !== 'stopped') continue
          expect(stopped.status).to.be.oneOf(['stopping', 'ended', 'failed'])
          const later = model.sessions.slice(index + 1)
          expect(later.filter(({ tracks }) => tracks[0] === stopped.trackSid)).to.deep.equal([])
        }
      }),
      { numRuns: 2000 },
    )
  })
})
