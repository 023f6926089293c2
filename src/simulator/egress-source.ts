import type { EgressPlan, EgressRequest } from './egress-request.ts'
import { DEFAULT_SHARE, findMember, isShare, type Member, type Rooms, type SharedTrack } from './rooms.ts'

/** What there is to record at this moment. */
export type EgressSource = { video: SharedTrack | undefined; audio: SharedTrack | undefined }

export function findSource(rooms: Rooms, { request, follows }: EgressPlan): EgressSource {
  if (request.case === 'participant') {
    const tracks = [...(findMember(rooms, request.value.roomName, request.value.identity)?.tracks.values() ?? [])]
    // The latest share wins, and when it ends there is black: nothing leads back to an older one.
    for (const { info } of tracks.filter(isShare)) {
      if (!follows.seen.has(info.sid)) follows.shown = info.sid
      follows.seen.add(info.sid)
    }
    const video = tracks.find(({ info }) => info.sid === follows.shown)
    return { video, audio: tracks.findLast((track) => !isShare(track)) }
  }
  const members: Member[] = [...(rooms.byName.get(request.value.roomName)?.members.values() ?? [])]
  const track = (sid: string) => members.map(({ tracks }) => tracks.get(sid)).find((one) => one !== undefined)
  return { video: track(request.value.videoTrackId), audio: track(request.value.audioTrackId) }
}

/** The size of the share, made even, as an encoder wants it; without a share the default is as good as any. */
export function pictureForm(video: SharedTrack | undefined): { width: number; height: number; fps: number } {
  const { width, height, fps } = video ?? DEFAULT_SHARE
  return { width: even(width), height: even(height), fps }
}

/** A participant egress always has sound, be it silence; a track composite only when an audio track was named. */
export function recordsAudio(request: EgressRequest): boolean {
  return request.case === 'participant' || request.value.audioTrackId !== ''
}

/** Why the egress would fail for want of its source. */
export function missingSource(rooms: Rooms, plan: EgressPlan): string | undefined {
  const { request } = plan
  if (request.case === 'participant') {
    const { roomName, identity } = request.value
    return findMember(rooms, roomName, identity) ? undefined : `participant ${identity} not found`
  }
  const { video, audio } = findSource(rooms, plan)
  if (request.value.videoTrackId && !video) return `track ${request.value.videoTrackId} not found`
  return request.value.audioTrackId && !audio ? `track ${request.value.audioTrackId} not found` : undefined
}

function even(pixels: number): number {
  return Math.max(16, pixels - (pixels % 2))
}
