import { finishClip } from '../capture/finish-clip.ts'
import { makePoster } from '../capture/clip-poster.ts'
import { storeClip } from '../capture/store-clip.ts'
import { sweepStorage } from '../check-data/storage-checks.ts'
import type { JobTable } from '../job/runner.ts'
import type { Schedule } from '../job/schedules.ts'
import { freeJobsOfDeadWorkers } from '../job/worker-lock.ts'
import { sendWebhook } from '../notify/send-webhook.ts'
import { sweepEvents, tellEvents } from '../notify/tell-events.ts'
import { tellRoom } from '../notify/tell-room.ts'
import { retainSegments, sweepBuffers, sweepUnknown } from '../segment/care.ts'
import { createDiskWatch } from '../segment/full-disk.ts'
import { purgeSession } from '../segment/purge-session.ts'
import { sweepOrphans } from '../session/orphans.ts'
import { createReconcile } from '../session/reconcile.ts'
import { endSilentSessions } from '../session/silence.ts'
import { startEgress } from '../session/start-egress.ts'
import { stopEgress, stopStray } from '../session/stop-egress.ts'
import { logAs, type Deps } from './deps.ts'

type Retention = Deps & Pick<Parameters<typeof purgeSession>[0], 'forget' | 'reached'>

/** What is done by itself, by name: the schedules run it, and tests do. */
export type ScheduleRuns = ReturnType<typeof createSchedules>

export function createSchedules(deps: Deps, retention: Retention, lookAgain: () => Promise<unknown>) {
  const session = logAs(deps, 'session')
  const segment = logAs(retention, 'segment')
  const notify = logAs(deps, 'notify')
  return {
    reconcile: createReconcile(session),
    end_silent: () => endSilentSessions({ ...session, lookAgain }),
    retain_segments: () => retainSegments(segment),
    sweep_buffers: () => sweepBuffers(segment),
    sweep_unknown: () => sweepUnknown(segment),
    sweep_storage: () => sweepStorage(logAs(deps, 'capture')),
    watch_disk: createDiskWatch(segment),
    sweep_orphans: () => sweepOrphans(session),
    tell_events: () => tellEvents(notify),
    sweep_events: () => sweepEvents(notify),
    free_jobs: () => freeJobsOfDeadWorkers(deps.db),
  } satisfies Record<string, Schedule['run']>
}

/** What each job does. */
export function jobTable(deps: Deps, retention: Retention): JobTable {
  const session = logAs(deps, 'session')
  const capture = logAs(deps, 'capture')
  const notify = logAs(deps, 'notify')
  const segment = logAs(retention, 'segment')
  return {
    start_egress: (payload) => startEgress(session, payload),
    stop_egress: (payload) => stopEgress(session, payload),
    stop_stray: (payload) => stopStray(session, payload),
    finish_clip: ({ clipId }) => finishClip(capture, clipId, true),
    store_clip: (payload, attempt) => storeClip(capture, payload, attempt),
    make_poster: (payload) => makePoster(capture, payload),
    send_webhook: (payload) => sendWebhook(notify, payload),
    tell_room: (payload) => tellRoom(notify, payload),
    purge_session: (payload) => purgeSession(segment, payload),
  }
}

/** What concerns a node's own disk is done on each node, the rest on any one. */
export function scheduleTable(run: ScheduleRuns, node: string): Schedule[] {
  return [
    { name: 'free_jobs', when: '*/10 * * * * *', run: run.free_jobs },
    { name: 'reconcile', when: '* * * * *', run: run.reconcile, atStart: true },
    { name: 'end_silent', when: '*/10 * * * * *', run: run.end_silent },
    { name: `retain_segments@${node}`, when: '* * * * *', run: run.retain_segments, atStart: true },
    { name: `sweep_buffers@${node}`, when: '30 * * * * *', run: run.sweep_buffers, atStart: true },
    { name: `sweep_unknown@${node}`, when: '17 * * * *', run: run.sweep_unknown },
    { name: `sweep_storage@${node}`, when: '27 * * * *', run: run.sweep_storage },
    { name: `watch_disk@${node}`, when: '*/10 * * * * *', run: run.watch_disk },
    { name: 'tell_events', when: '* * * * *', run: run.tell_events, atStart: true },
    { name: 'sweep_events', when: '23 * * * *', run: run.sweep_events },
    { name: 'sweep_orphans', when: '7 * * * *', run: run.sweep_orphans },
  ]
}
