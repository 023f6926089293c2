import type { BufferCoverage } from '../capture/describe-buffer.ts'
import type { ClipWithFile } from '../clip/clip.repo.ts'
import type { Session } from '../db/schema.ts'
import type { MediaTokens } from './media-token.ts'

/*
 * Rows leave through here, and in no other way.
 */

/** A session as clients see it. */
export function presentSession(session: Session, coverage: BufferCoverage, now: Date) {
  const end = session.ended_at ?? now
  // While a session goes on its reason is only why it may be about to end.
  const hasReason = ['stopping', 'refused', 'ended', 'failed'].includes(session.status)
  return {
    id: session.id,
    room: session.room,
    userId: session.user_id,
    username: session.username,
    quality: session.quality,
    communityId: session.community_id,
    status: session.status,
    startedAt: session.started_at,
    endedAt: session.ended_at,
    endedReason: hasReason ? session.ended_reason : null,
    error: session.error,
    durationMinutes: session.started_at ? Math.round((end.getTime() - session.started_at.getTime()) / 6000) / 10 : 0,
    expiresAt: session.expires_at,
    coverage,
  }
}

export type PresentClip = (clip: ClipWithFile) => ReturnType<typeof clipJson>

/** A clip as clients see it, with links that work in a player for the next hour. */
export function createClipPresenter(baseUrl: string, tokens: MediaTokens): PresentClip {
  return (clip) => clipJson(clip, baseUrl, tokens)
}

function clipJson(clip: ClipWithFile, baseUrl: string, tokens: MediaTokens) {
  const token = tokens.sign(`clip:${clip.id}`)
  const link = (name: string) => `${baseUrl}/v1/clips/${clip.id}/${name}?token=${token}`
  return {
    id: clip.id,
    clipId: clip.id,
    fileId: clip.file_id,
    sessionId: clip.session_id,
    room: clip.room,
    userId: clip.user_id,
    communityId: clip.community_id,
    status: clip.status,
    error: clip.error,
    title: clip.title,
    from: clip.from_at,
    to: clip.to_at,
    durationSeconds: clip.coverage.coveredSeconds,
    sizeBytes: clip.size_bytes,
    sha256: clip.sha256,
    stored: clip.file_id !== null,
    createdAt: clip.created_at,
    pressedAt: clip.pressed_at,
    coverage: clip.coverage,
    links: { file: link('file.mp4'), playlist: link('playlist.m3u8') },
  }
}
