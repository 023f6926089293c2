import { basename } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Random } from '../src/simulator/random.ts'
import type { Excuse } from './excuses.ts'
import type { Ground } from './ground.ts'

/*
 * What goes wrong, one thing at a time, and what each of them excuses.
 */

export interface Trouble {
  /** How often each happened. */
  counts: Map<string, number>
  excuses: Excuse[]
  /** When the service or its database was away, its disk full, or its clock wrong; open while it is. */
  times: { what: 'away' | 'full' | 'clock' | 'livekit'; from: number; to: number | undefined }[]
  /** What happens now, for the line of the minute. */
  recent: string[]
}

export function createTrouble(): Trouble {
  return { counts: new Map(), excuses: [], times: [], recent: [] }
}

/** A reconcile comes every minute, and asks LiveKit for each room in turn. */
const RECONCILE_MS = 65_000

/** A segment lands `2 D + 0.7 s` after its first frame: what a killed egress takes with it. */
const UNLANDED_MS = 6000

/** Silence is seen after 20 s, by a look every 10 s. */
const SILENCE_MS = 40_000

interface Stage {
  ground: Ground
  trouble: Trouble
  random: Random
}

type Fault = (stage: Stage) => Promise<void>

const between = (random: Random, least: number, most: number) => least + random() * (most - least)

/** Does something while a fault lasts, which excuses late starts until a reconcile has come by. */
async function during(
  { trouble }: Stage,
  what: Trouble['times'][number]['what'],
  excuse: { kind: Excuse['kind']; beforeMs?: number; afterMs: number },
  act: () => Promise<void>,
): Promise<void> {
  const from = Date.now()
  const time: Trouble['times'][number] = { what, from, to: undefined }
  trouble.times.push(time)
  const open: Excuse = { kind: excuse.kind, from: from - (excuse.beforeMs ?? 0), to: Infinity }
  trouble.excuses.push(open)
  await act()
  time.to = Date.now()
  open.to = time.to + excuse.afterMs
}

const webhooks = (name: 'loseWebhook' | 'lateWebhook' | 'doubleWebhook' | 'reorderWebhook'): Fault =>
  async function wrongWebhooks(stage) {
    const { faults } = stage.ground.simulator
    faults.lateByMs = 8000
    await during(stage, 'livekit', { kind: 'start', afterMs: RECONCILE_MS }, async () => {
      faults[name] = 0.5
      await pause(between(stage.random, 4000, 12_000))
      faults[name] = 0
    })
  }

async function killOneEgress(stage: Stage, how: 'worker' | 'handler'): Promise<void> {
  const { simulator } = stage.ground
  const running = simulator.egresses().filter(({ status, dead }) => status === 'EGRESS_ACTIVE' && !dead)
  const egress = running[Math.floor(stage.random() * running.length)]
  if (!egress) return
  const now = Date.now()
  const sessionId = basename(egress.directory)
  const { user_id: identity } = await stage.ground.db
    .selectFrom('egress_sessions')
    .select('user_id')
    .where('id', '=', sessionId)
    .executeTakeFirstOrThrow()
  stage.trouble.excuses.push({ kind: 'egress', identity, from: now - UNLANDED_MS, to: now + SILENCE_MS })
  if (how === 'worker') simulator.killEgressWorker(egress.egressId)
  else simulator.killEgressHandler(egress.egressId)
}

/** A start call that finds no worker is answered after 22 s. */
const UNANSWERED_MS = 25_000

const FAULTS: Record<string, Fault> = {
  'webhooks lost': webhooks('loseWebhook'),
  'webhooks late': webhooks('lateWebhook'),
  'webhooks doubled': webhooks('doubleWebhook'),
  'webhooks reordered': webhooks('reorderWebhook'),
  'egress worker killed': (stage) => killOneEgress(stage, 'worker'),
  'egress handler killed': (stage) => killOneEgress(stage, 'handler'),
  'all egress workers killed': (stage) =>
    during(
      stage,
      'livekit',
      { kind: 'egress', beforeMs: UNLANDED_MS, afterMs: SILENCE_MS + UNANSWERED_MS },
      async () => {
        stage.ground.simulator.killEgressWorker()
        await pause(between(stage.random, 1000, 5000))
        stage.ground.simulator.startEgressWorker()
      },
    ),
  'database restarted': (stage) =>
    during(stage, 'away', { kind: 'start', afterMs: RECONCILE_MS }, async () => {
      await stage.ground.stopPostgres()
      await pause(between(stage.random, 0, 6000))
      await stage.ground.startPostgres()
    }),
  'service killed': (stage) =>
    during(stage, 'away', { kind: 'start', afterMs: RECONCILE_MS }, async () => {
      await stage.ground.killService()
      await pause(between(stage.random, 0, 8000))
      await stage.ground.startService()
    }),
  'disk nearly full': (stage) =>
    during(stage, 'full', { kind: 'start', afterMs: RECONCILE_MS }, () => fillFor(stage, 32 * 1024 ** 2)),
  'disk full': (stage) =>
    during(stage, 'full', { kind: 'egress', beforeMs: UNLANDED_MS, afterMs: RECONCILE_MS }, () => fillFor(stage, 0)),
  'clock stepped': (stage) =>
    during(stage, 'clock', { kind: 'start', afterMs: RECONCILE_MS }, async () => {
      stage.ground.stepClock(Math.round(between(stage.random, -45_000, 45_000)))
      await pause(between(stage.random, 5000, 15_000))
      stage.ground.stepClock(0)
    }),
}

async function fillFor({ ground, random }: Stage, leaveBytes: number): Promise<void> {
  if (!(await ground.fillDisk(leaveBytes))) return
  await pause(between(random, 4000, 15_000))
  await ground.freeDisk()
}

/** In which part of a run the service is killed. */
const KILLS_SHARE = 0.6

/** One fault after the other, each as often as any, with calm between them; ends when `until` has come. */
export async function makeTrouble(
  stage: Stage,
  options: { startedAt: number; until: number; calmMs: [number, number]; without: string[] },
): Promise<void> {
  // What grows is seen in a process that lives long.
  const killsUntil = options.startedAt + (options.until - options.startedAt) * KILLS_SHARE
  const names = Object.keys(FAULTS).filter((name) => !options.without.includes(name))
  let queue: string[] = []
  await pause(between(stage.random, 5000, 8000))
  while (Date.now() < options.until) {
    if (queue.length === 0) queue = shuffled(names, stage.random)
    const name = queue.pop() ?? ''
    if (name === 'service killed' && Date.now() > killsUntil) continue
    stage.trouble.counts.set(name, (stage.trouble.counts.get(name) ?? 0) + 1)
    stage.trouble.recent.push(name)
    await FAULTS[name]?.(stage)
    await pause(Math.max(0, Math.min(between(stage.random, ...options.calmMs), options.until - Date.now())))
  }
}

function shuffled<T>(of: readonly T[], random: Random): T[] {
  return of
    .map((one) => ({ one, at: random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ one }) => one)
}
