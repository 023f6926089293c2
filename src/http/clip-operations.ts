import { clipAnswer, clipList, deletedClip, quotaAnswer } from './answers.ts'
import { captureBody, roomCaptureBody } from './capture-body.ts'
import { exactQuery } from './captures.routes.ts'
import { clipListQuery, patchBody, userQuery } from './clips.routes.ts'
import type { Operation } from './operation.ts'

const CAPTURE_HEADERS = {
  'Idempotency-Key': {
    description: 'The same key with the same request gives the same clip.',
    schema: { type: 'string', pattern: '^[!-~]{1,200}$' },
  },
  Prefer: {
    description: '`respond-async`: 202 at once. `wait=N`: wait N seconds at most for the press to land.',
    schema: { type: 'string' },
  },
}

const CAPTURE_ANSWERS = {
  201: { description: 'The finished clip.', schema: clipAnswer, headers: { Location: 'Its address.' } },
  202: { description: 'A clip that is being made. It plays already.', schema: clipAnswer },
}

const CAPTURE_ERRORS = [
  'other_room',
  'forbidden',
  'quota_exceeded',
  'not_found',
  'range_not_recorded',
  'idempotency_key_reused',
  'too_many_requests',
  'storage_full',
] as const

export const CLIP_OPERATIONS: Operation[] = [
  {
    method: 'post',
    path: '/v1/sessions/{id}/clips',
    id: 'captureSession',
    tag: 'Captures',
    summary: 'Make a clip of a session',
    description: 'Answered when the moment of the press has landed on the disk.',
    access: 'token',
    query: exactQuery,
    headers: CAPTURE_HEADERS,
    body: captureBody,
    answers: CAPTURE_ANSWERS,
    errors: [...CAPTURE_ERRORS],
  },
  {
    method: 'post',
    path: '/v1/clips',
    id: 'captureRoom',
    tag: 'Captures',
    summary: 'Make a clip of what a user shared in a room',
    description: 'In one session or several; `userId` is who shared, the caller if it is not there.',
    access: 'token',
    query: exactQuery,
    headers: CAPTURE_HEADERS,
    body: roomCaptureBody,
    answers: CAPTURE_ANSWERS,
    errors: [...CAPTURE_ERRORS],
  },
  {
    method: 'get',
    path: '/v1/clips',
    id: 'listClips',
    tag: 'Clips',
    summary: "A user's clips, newest first",
    access: 'token',
    query: clipListQuery,
    answers: { 200: { description: 'A page of them.', schema: clipList } },
    errors: ['forbidden'],
  },
  {
    method: 'get',
    path: '/v1/clips/{id}',
    id: 'getClip',
    tag: 'Clips',
    summary: 'One clip, with fresh links',
    access: 'token',
    answers: { 200: { description: 'The clip.', schema: clipAnswer } },
    errors: ['forbidden', 'not_found'],
  },
  {
    method: 'patch',
    path: '/v1/clips/{id}',
    id: 'renameClip',
    tag: 'Clips',
    summary: 'Give a clip a title, or take it away',
    access: 'token',
    body: patchBody,
    answers: { 200: { description: 'The clip.', schema: clipAnswer } },
    errors: ['forbidden', 'not_found'],
  },
  {
    method: 'delete',
    path: '/v1/clips/{id}',
    id: 'deleteClip',
    tag: 'Clips',
    summary: 'Delete a clip, also one that is being made',
    access: 'token',
    answers: { 200: { description: 'What that freed.', schema: deletedClip } },
    errors: ['forbidden', 'not_found', 'node_unavailable'],
  },
  {
    method: 'get',
    path: '/v1/quota',
    id: 'getQuota',
    tag: 'Clips',
    summary: 'How much a user has and may have',
    access: 'token',
    query: userQuery,
    answers: { 200: { description: 'The quota.', schema: quotaAnswer } },
    errors: ['forbidden'],
  },
]
