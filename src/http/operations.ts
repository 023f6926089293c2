import { eventAnswer, healthAnswer, readyAnswer, webhookAnswer } from './answers.ts'
import { CLIP_OPERATIONS } from './clip-operations.ts'
import { MEDIA_OPERATIONS } from './media-operations.ts'
import type { Operation } from './operation.ts'
import { SESSION_OPERATIONS } from './session-operations.ts'

const SERVICE_OPERATIONS: Operation[] = [
  {
    method: 'get',
    path: '/v1/events',
    id: 'followEvents',
    tag: 'Events',
    summary: 'What happens, as it happens',
    description:
      'Server-sent events of the sessions and clips that the caller may see. The first is `hello`, or `reset` when ' +
      'what was missed is too long ago and everything must be asked for anew. Ends when the access token does.',
    access: 'token',
    headers: {
      'Last-Event-ID': {
        description: 'Resumes after this event, if it is from the last five minutes.',
        schema: { type: 'string', pattern: '^[0-9]{1,15}$' },
      },
    },
    answers: { 200: { description: 'The stream.', schema: eventAnswer, type: 'text/event-stream' } },
    errors: [],
  },
  {
    method: 'post',
    path: '/webhooks/livekit',
    id: 'receiveWebhook',
    tag: 'Service',
    summary: "LiveKit's door",
    description: 'Signed by LiveKit over the raw body. Answered after the effect is committed.',
    access: 'livekit',
    answers: { 200: { description: 'What it did.', schema: webhookAnswer } },
    errors: ['bad_signature', 'invalid_request', 'body_too_large', 'database_unavailable'],
  },
  {
    method: 'get',
    path: '/healthz',
    id: 'getHealth',
    tag: 'Service',
    summary: 'Whether it is alive',
    access: 'everybody',
    answers: { 200: { description: 'It is.', schema: healthAnswer } },
    errors: [],
  },
  {
    method: 'get',
    path: '/readyz',
    id: 'getReadiness',
    tag: 'Service',
    summary: 'Whether it is able to work',
    description:
      'Each part is `ok`, or what is wrong, in words. 503 when webhooks cannot be taken: without the database or its ' +
      'tables. Anything else is named, and the answer is 200 with status `degraded`.',
    access: 'everybody',
    answers: { 200: { description: 'It is.', schema: readyAnswer } },
    errors: ['database_unavailable'],
  },
  {
    method: 'get',
    path: '/metrics',
    id: 'getMetrics',
    tag: 'Service',
    summary: 'Counts and times, for Prometheus',
    description: 'With `REPLAY_METRICS_TOKEN` set: for `Authorization: Bearer <it>` only.',
    access: 'everybody',
    answers: { 200: { description: 'In the text format of Prometheus.', type: 'text/plain' } },
    errors: ['unauthorized'],
  },
  {
    method: 'get',
    path: '/openapi.json',
    id: 'getDescription',
    tag: 'Service',
    summary: 'This description',
    access: 'everybody',
    answers: { 200: { description: 'OpenAPI 3.1.', type: 'application/json' } },
    errors: [],
  },
  {
    method: 'get',
    path: '/',
    id: 'getConsole',
    tag: 'Service',
    summary: 'The page for people',
    access: 'everybody',
    answers: { 200: { description: 'A page.', type: 'text/html' } },
    errors: [],
  },
  {
    method: 'get',
    path: '/console/{file}',
    id: 'getConsoleFile',
    tag: 'Service',
    summary: 'What the page is made of',
    access: 'everybody',
    answers: { 200: { description: 'A script, a style or a picture.', type: 'text/javascript' } },
    errors: ['not_found'],
  },
  {
    method: 'get',
    path: '/docs',
    id: 'getDocs',
    tag: 'Service',
    summary: 'This description, to be read',
    access: 'everybody',
    answers: { 200: { description: 'A page.', type: 'text/html' } },
    errors: [],
  },
]

/** Every call there is; a route that is not here fails the tests. */
export const OPERATIONS: Operation[] = [
  ...SESSION_OPERATIONS,
  ...CLIP_OPERATIONS,
  ...MEDIA_OPERATIONS,
  ...SERVICE_OPERATIONS,
]

/** The template of the route that a path is of; `other` if it is of none. */
export function templateOf(path: string): string {
  return OPERATIONS.find((operation) => patternOf(operation).test(path))?.path ?? 'other'
}

/** The methods with which a path can be called, if it can with any. */
export function methodsOf(path: string): string[] {
  return OPERATIONS.filter((operation) => patternOf(operation).test(path)).flatMap(({ method }) =>
    method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()],
  )
}

const patterns = new Map<Operation, RegExp>()

function patternOf(operation: Operation): RegExp {
  const escaped = operation.path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')
  const pattern = patterns.get(operation) ?? new RegExp(`^${escaped}/?$`)
  patterns.set(operation, pattern)
  return pattern
}
