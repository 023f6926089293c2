import { findClip } from '../clip/clip.repo.ts'
import type { Db } from '../db/connect.ts'
import type { Event } from '../db/schema.ts'
import { findSession } from '../session/session.repo.ts'

/**
 * An event for who is told of it outside: in the shape of LiveKit's own webhooks, so that
 * what reads those reads this, with our session and clip beside. It holds no links, for
 * a link is a key.
 */
export async function describeEvent(db: Db, event: Event) {
  const session = await findSession(db, event.session_id)
  const clip = event.clip_id === null ? undefined : await findClip(db, event.clip_id)
  return {
    event: event.type,
    id: `RE_${event.id}`,
    createdAt: String(Math.floor(event.created_at.getTime() / 1000)),
    room: { name: event.room, ...(session?.room_sid ? { sid: session.room_sid } : {}) },
    participant: { identity: event.user_id },
    session: {
      id: event.session_id,
      ...(session && {
        status: session.status,
        endedReason: session.ended_at ? session.ended_reason : null,
        communityId: session.community_id,
        startedAt: session.started_at,
        endedAt: session.ended_at,
      }),
    },
    ...(event.clip_id !== null && {
      clip: {
        id: event.clip_id,
        ...(clip && {
          status: clip.status,
          title: clip.title,
          from: clip.from_at,
          to: clip.to_at,
          durationSeconds: clip.coverage.coveredSeconds,
          sizeBytes: clip.size_bytes,
          stored: clip.file_id !== null,
        }),
      },
    }),
  }
}
