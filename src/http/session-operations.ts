import { sessionAnswer, sessionList } from './answers.ts'
import type { Operation } from './operation.ts'
import { sessionListQuery, startBody } from './sessions.routes.ts'

export const SESSION_OPERATIONS: Operation[] = [
  {
    method: 'get',
    path: '/v1/sessions',
    id: 'listSessions',
    tag: 'Sessions',
    summary: 'The sessions of a room that have a buffer',
    description: 'Live or in their grace, newest first, each with what can be captured of it.',
    access: 'token',
    query: sessionListQuery,
    answers: { 200: { description: 'The sessions.', schema: sessionList } },
    errors: ['other_room'],
  },
  {
    method: 'post',
    path: '/v1/sessions',
    id: 'startSession',
    tag: 'Sessions',
    summary: 'Start a session by hand',
    description: 'Of a share that is there, whatever the auto-start mode.',
    access: 'token',
    body: startBody,
    answers: { 201: { description: 'It starts.', schema: sessionAnswer, headers: { Location: 'Its address.' } } },
    errors: [
      'other_room',
      'forbidden',
      'not_sharing',
      'already_recording',
      'limit_reached',
      'storage_full',
      'livekit_unavailable',
    ],
  },
  {
    method: 'get',
    path: '/v1/sessions/{id}',
    id: 'getSession',
    tag: 'Sessions',
    summary: 'One session, also when its buffer is gone',
    access: 'token',
    answers: { 200: { description: 'The session.', schema: sessionAnswer } },
    errors: ['other_room', 'not_found'],
  },
  {
    method: 'delete',
    path: '/v1/sessions/{id}',
    id: 'stopSession',
    tag: 'Sessions',
    summary: 'Stop a session and delete its buffer',
    description: 'Now, or as soon as its egress has ended. What clips need is kept for them.',
    access: 'token',
    answers: { 200: { description: 'The session as it is now.', schema: sessionAnswer } },
    errors: ['other_room', 'forbidden', 'not_found'],
  },
]
