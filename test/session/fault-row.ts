import { expect } from 'chai'
import { EgressClient } from 'livekit-server-sdk'
import type { Session } from '../../src/db/schema.ts'
import type { SentWebhook } from '../../src/simulator/webhook-sender.ts'
import { adminToken, API_KEY, API_SECRET } from '../support/service.ts'
import { until } from '../support/until.ts'
import { fateOf, type Scene, type Stage } from './stage.ts'

/** One line of a fault table: a situation, what the simulated LiveKit does, what must be true after it. */
export interface Row {
  situation: string
  happens: (scene: Scene) => Promise<unknown>
  mustBe: (scene: Scene, sessions: Session[]) => void | Promise<void>
}

export const is =
  (...names: string[]) =>
  ({ event }: { event: string }) =>
    names.includes(event)

export const fates = (sessions: Session[]) => sessions.map(fateOf)

/** A buffer that somebody may still press on. */
export function inGrace(session: Session | undefined): void {
  expect(Number(session?.expires_at) - Number(session?.ended_at), 'grace').to.equal(600_000)
}

export async function sharing(scene: Scene): Promise<{ track: string; session: Session }> {
  const track = scene.share()
  return { track, session: await scene.recording() }
}

/** Waits for the last webhook of this name and room to have come to this. */
export function outcome(scene: Scene, event: string, wanted: SentWebhook['outcome']): Promise<SentWebhook> {
  return until(`${event} ${wanted} in ${scene.room}`, () => {
    const sent = scene.stage.simulator.webhooksSent().findLast((one) => one.event === event && isOf(scene, one))
    return sent?.outcome === wanted && sent
  })
}

export const delivered = (scene: Scene, event: string) => outcome(scene, event, 'delivered')

/** Egress workers come and go as participants too. */
function isOf({ room }: Scene, { body }: SentWebhook): boolean {
  const event = JSON.parse(body) as {
    room?: { name: string }
    egressInfo?: { roomName: string }
    participant?: { kind?: string }
  }
  return (event.room?.name ?? event.egressInfo?.roomName) === room && event.participant?.kind !== 'EGRESS'
}

/** As every minute. Never true, to be asked again and again beside a condition. */
export async function reconcile({ stage }: Scene): Promise<false> {
  await stage.service.schedules.reconcile()
  return false
}

/** As if what is known of the room's shares had been known for a while: LiveKit's answers are believed then. */
export async function settle({ stage, room }: Scene): Promise<void> {
  await stage.service.db
    .updateTable('shares')
    .set({ seen_at: new Date(Date.now() - 10_000) })
    .where('room', '=', room)
    .execute()
}

export const egressClient = ({ simulator }: Stage) => new EgressClient(simulator.url, API_KEY, API_SECRET)

export async function stopByHand({ stage, room }: Scene, id: string): Promise<void> {
  const answer = await stage.call('DELETE', `/v1/sessions/${id}`, { token: await adminToken('host', room) })
  expect(answer.status).to.equal(200)
}
