import type { BufferCoverage } from '../capture/describe-buffer.ts'
import type { ClipWithFile } from '../clip/clip.repo.ts'
import type { Session } from '../db/schema.ts'
import type { ClipAnswer, SessionAnswer } from './answers.ts'
import type { MediaTokens } from './media-token.ts'

/*
 * Rows leave through here, and in no other way.
 */

export type PresentSession = (session: Session, coverage: BufferCoverage, now: Date) => SessionAnswer
export type PresentClip = (clip: ClipWithFile) => ClipAnswer

/** Sessions and clips as clients see them, with links that work in a player for the next hour. */
export interface Presenter {
  session: PresentSession
  clip: PresentClip
}

export function createPresenter(baseUrl: string, tokens: MediaTokens): Presenter {
  const linkTo = (kind: 'session' | 'clip', id: string) => {
    const token = tokens.sign(`${kind}:${id}`)
    return (name: string) => `${baseUrl}/v1/${kind}s/${id}/${name}?token=${token}`
  }
  return {
    session: (session, coverage, now) => sessionJson(session, coverage, now, linkTo('session', session.id)),
    clip: (clip) => clipJson(clip, linkTo('clip', clip.id)),
  }
}

type LinkTo = (name: string) => string

function sessionJson(session: Session, coverage: BufferCoverage, now: Date, link: LinkTo): SessionAnswer {
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
    startedAt: session.started_at?.toISOString() ?? null,
    endedAt: session.ended_at?.toISOString() ?? null,
    endedReason: hasReason ? session.ended_reason : null,
    error: session.error,
    durationMinutes: session.started_at ? Math.round((end.getTime() - session.started_at.getTime()) / 6000) / 10 : 0,
    expiresAt: session.expires_at?.toISOString() ?? null,
    coverage,
    links: { playlist: link('playlist.m3u8'), poster: link('poster.jpg') },
  }
}

function clipJson(clip: ClipWithFile, link: LinkTo): ClipAnswer {
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
    from: clip.from_at.toISOString(),
    to: clip.to_at.toISOString(),
    durationSeconds: clip.coverage.coveredSeconds,
    sizeBytes: clip.size_bytes,
    sha256: clip.sha256,
    stored: clip.file_id !== null,
    createdAt: clip.created_at.toISOString(),
    pressedAt: clip.pressed_at.toISOString(),
    coverage: clip.coverage,
    links: { file: link('file.mp4'), playlist: link('playlist.m3u8'), poster: link('poster.jpg') },
  }
}
