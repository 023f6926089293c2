import { downloadQuery } from './media.routes.ts'
import type { Operation, OperationAnswer } from './operation.ts'

const BYTE_HEADERS = { ETag: 'Strong: these bytes never change.', 'Accept-Ranges': '`bytes`' }

const bytesOf = (type: string): Record<number, OperationAnswer> => ({
  200: { description: 'All of it.', type, headers: BYTE_HEADERS },
  206: { description: 'The asked-for range.', type, headers: { ...BYTE_HEADERS, 'Content-Range': 'Which.' } },
  304: { description: 'The client has it already.' },
})

const RANGE_HEADERS = {
  Range: { description: 'One range of bytes (RFC 9110, 14.2).', schema: { type: 'string' } },
  'If-Range': { description: 'The ETag that the range belongs to.', schema: { type: 'string' } },
  'If-None-Match': { description: 'The ETags that the client has.', schema: { type: 'string' } },
}

const media = (operation: Pick<Operation, 'path' | 'id' | 'summary' | 'answers'> & Partial<Operation>): Operation => ({
  method: 'get',
  tag: 'Media',
  access: 'link',
  ...operation,
  errors: ['forbidden', 'not_found', 'node_unavailable', ...(operation.errors ?? [])],
})

const ofSession = (operation: Parameters<typeof media>[0]): Operation => ({
  ...media(operation),
  errors: ['other_room', 'not_found', 'node_unavailable', ...(operation.errors ?? [])],
})

export const MEDIA_OPERATIONS: Operation[] = [
  ofSession({
    path: '/v1/sessions/{id}/playlist.m3u8',
    id: 'getSessionPlaylist',
    summary: 'A buffer as HLS, live and with all that is kept of it',
    answers: { 200: { description: 'The playlist.', type: 'application/vnd.apple.mpegurl' } },
  }),
  ofSession({
    path: '/v1/sessions/{id}/init-{config}.mp4',
    id: 'getSessionInit',
    summary: "What a buffer's segments have in common",
    headers: RANGE_HEADERS,
    answers: bytesOf('video/mp4'),
    errors: ['range_not_satisfiable'],
  }),
  ofSession({
    path: '/v1/sessions/{id}/segment-{sequence}.m4s',
    id: 'getSessionSegment',
    summary: 'One segment of a buffer',
    headers: RANGE_HEADERS,
    answers: bytesOf('video/mp4'),
    errors: ['range_not_satisfiable'],
  }),
  ofSession({
    path: '/v1/sessions/{id}/poster.jpg',
    id: 'getSessionPoster',
    summary: "A session's newest key frame, 640 wide",
    description: 'At most 5 s old when more has landed since.',
    headers: RANGE_HEADERS,
    answers: bytesOf('image/jpeg'),
    errors: ['ffmpeg_failed', 'range_not_satisfiable'],
  }),
  media({
    path: '/v1/clips/{id}/file.mp4',
    id: 'getClipFile',
    summary: 'A clip as one MP4',
    query: downloadQuery,
    headers: RANGE_HEADERS,
    answers: bytesOf('video/mp4'),
    errors: ['range_not_satisfiable'],
  }),
  media({
    path: '/v1/clips/{id}/playlist.m3u8',
    id: 'getClipPlaylist',
    summary: 'A clip as HLS, also while it is being made',
    answers: { 200: { description: 'The playlist.', type: 'application/vnd.apple.mpegurl' } },
  }),
  media({
    path: '/v1/clips/{id}/init.mp4',
    id: 'getClipInit',
    summary: "What a clip's fragments have in common",
    headers: RANGE_HEADERS,
    answers: bytesOf('video/mp4'),
    errors: ['range_not_satisfiable'],
  }),
  media({
    path: '/v1/clips/{id}/fragment-{number}.m4s',
    id: 'getClipFragment',
    summary: 'One fragment of a clip',
    headers: RANGE_HEADERS,
    answers: bytesOf('video/mp4'),
    errors: ['range_not_satisfiable'],
  }),
  media({
    path: '/v1/clips/{id}/poster.jpg',
    id: 'getClipPoster',
    summary: "The picture at a clip's in-point, 640 wide",
    headers: RANGE_HEADERS,
    answers: bytesOf('image/jpeg'),
    errors: ['range_not_satisfiable', 'ffmpeg_failed'],
  }),
]
