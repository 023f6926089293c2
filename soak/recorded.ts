import type { Db } from '../src/db/connect.ts'
import { merge } from '../src/capture/ranges.ts'
import type { TickRange } from '../src/media/timeline.ts'

/*
 * What was recorded, as the index has it; kept here, for rows of a purged session go.
 */

interface RecordedSession {
  userId: string
  originMs: number
  media: TickRange[]
  unreadable: number
}

export interface Recorded {
  sessions: Map<string, RecordedSession>
  /** Reads what has landed since a minute before the last look. */
  look: () => Promise<void>
  /** On the wall clock, in ms. */
  rangesOf: (userId: string) => TickRange[]
}

export function createRecorded(db: Db): Recorded {
  const sessions = new Map<string, RecordedSession>()
  return {
    sessions,
    async look() {
      const rows = await db
        .selectFrom('segments')
        .innerJoin('egress_sessions', 'egress_sessions.id', 'segments.session_id')
        .select(['session_id', 'user_id', 'clock_origin', 'start_ms', 'duration_ms', 'unreadable'])
        .where('purged_at', 'is', null)
        .execute()
      for (const row of rows) {
        const session = sessions.get(row.session_id) ?? { userId: row.user_id, originMs: 0, media: [], unreadable: 0 }
        sessions.set(row.session_id, session)
        session.originMs = row.clock_origin?.getTime() ?? 0
        session.media.push({ fromTicks: row.start_ms, toTicks: row.start_ms + row.duration_ms })
        if (row.unreadable !== null) session.unreadable += 1
      }
      for (const session of sessions.values()) session.media = merge(session.media, 1)
    },
    rangesOf: (userId) =>
      [...sessions.values()]
        .filter((session) => session.userId === userId)
        .flatMap(({ originMs, media }) =>
          media.map(({ fromTicks, toTicks }) => ({ fromTicks: originMs + fromTicks, toTicks: originMs + toTicks })),
        ),
  }
}
