import type { Egress } from './egress.ts'

/** Egress's manifest: snake_case, times as plain numbers of ns, written once at a clean end. */
export function manifestOf({ info, request, paths }: Egress, files: string[], endedAtNs: bigint): object {
  const { egressId, roomId, roomName } = info
  return {
    egress_id: egressId,
    room_id: roomId,
    room_name: roomName,
    started_at: Number(info.startedAt),
    ended_at: Number(endedAtNs),
    ...(request.case === 'participant'
      ? { publisher_identity: request.value.identity }
      : {
          ...(request.value.audioTrackId && { audio_track_id: request.value.audioTrackId }),
          ...(request.value.videoTrackId && { video_track_id: request.value.videoTrackId }),
        }),
    playlists: [{ location: paths.playlist, segments: files.map((filename) => ({ filename, location: filename })) }],
  }
}
