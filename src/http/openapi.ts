import { z } from 'zod'
import type { ErrorCode } from '../errors.ts'
import { STATUS } from './errors.ts'
import { exampleOf } from './examples.ts'
import type { Operation, OperationAnswer } from './operation.ts'
import { OPERATIONS } from './operations.ts'

/*
 * The OpenAPI 3.1 document, made of the operations and the schemas that validate.
 */

type Json = Record<string, unknown>

const TOKEN_ERRORS: ErrorCode[] = [
  'unauthorized',
  'token_malformed',
  'token_algorithm',
  'token_unknown_key',
  'token_signature',
  'token_expired',
  'token_not_yet_valid',
  'missing_grant',
  'invalid_request',
  'database_unavailable',
]
const LINK_ERRORS: ErrorCode[] = [...TOKEN_ERRORS, 'link_invalid', 'link_expired']

export function createOpenApi(version: string): Json {
  const schemas: Json = { Problem: problemSchema() }
  const paths: Record<string, Json> = {}
  for (const operation of OPERATIONS) {
    const path = (paths[operation.path] ??= {})
    path[operation.method] = describeOperation(operation, schemas)
  }
  const used = [...new Set(OPERATIONS.map(({ tag }) => tag))]
  return {
    openapi: '3.1.1',
    info: {
      title: 'livekit-replay',
      version,
      summary: 'The last minutes of every screen share, kept; a moment of them as a clip, with one press.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    tags: used.map((name) => ({ name, description: TAGS[name] })),
    paths,
    components: { schemas, securitySchemes: SECURITY_SCHEMES },
  }
}

const TAGS: Record<Operation['tag'], string> = {
  Sessions: 'What is being kept: a session is one recording of one share.',
  Captures: 'A moment becomes a clip.',
  Clips: "A user's library.",
  Media: 'What players and downloaders ask for, by the links that clips and sessions come with.',
  Events: 'What happens, told at once.',
  Service: 'The service itself.',
}

const SECURITY_SCHEMES = {
  accessToken: {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: 'A LiveKit access token with `roomJoin`, `roomAdmin` or `roomRecord`.',
  },
  link: {
    type: 'apiKey',
    in: 'query',
    name: 'token',
    description: 'As it is in the links that clips and sessions come with: for one thing, for an hour.',
  },
  livekit: {
    type: 'apiKey',
    in: 'header',
    name: 'Authorization',
    description: "LiveKit's signature: a token that holds the body's hash.",
  },
}

const SECURITY = {
  everybody: [],
  livekit: [{ livekit: [] }],
  token: [{ accessToken: [] }],
  link: [{ link: [] }, { accessToken: [] }],
} as const

function describeOperation(operation: Operation, schemas: Json): Json {
  const { id, tag, summary, description, access, body } = operation
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    security: SECURITY[access],
    parameters: [...pathParameters(operation), ...queryParameters(operation, schemas), ...headerParameters(operation)],
    ...(body ? { requestBody: { required: true, content: jsonBody(body, schemas, id) } } : {}),
    ...(access === 'livekit' ? { requestBody: WEBHOOK_BODY } : {}),
    responses: { ...answersOf(operation, schemas), ...problemsOf(operation) },
  }
}

const WEBHOOK_BODY = { required: true, content: { 'application/webhook+json': { schema: { type: 'object' } } } }

function jsonBody(body: z.ZodType, schemas: Json, id: string): Json {
  const example = exampleOf(id, 'request')
  return {
    'application/json': { schema: toSchema(body, 'input', schemas), ...(example === undefined ? {} : { example }) },
  }
}

/** Of those that are no ids. */
const PATH_SCHEMAS: Record<string, Json> = {
  number: { type: 'integer', minimum: 0, maximum: 999_999 },
  sequence: { type: 'integer', minimum: 0, maximum: 999_999_999 },
  config: { type: 'string', description: 'as the playlist names it' },
  file: { type: 'string', description: 'as the page names it' },
}

function pathParameters({ path }: Operation): Json[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    schema: PATH_SCHEMAS[name] ?? { type: 'string', format: 'uuid' },
  }))
}

function queryParameters({ query }: Operation, schemas: Json): Json[] {
  if (!query) return []
  const { properties = {}, required = [] } = toSchema(query, 'input', schemas) as {
    properties?: Record<string, Json>
    required?: string[]
  }
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    ...(description === undefined ? {} : { description }),
    schema,
  }))
}

function headerParameters({ headers = {} }: Operation): Json[] {
  return Object.entries(headers).map(([name, header]) => ({ name, in: 'header', required: false, ...header }))
}

function answersOf({ id, answers }: Operation, schemas: Json): Json {
  return Object.fromEntries(
    Object.entries(answers).map(([status, answer]) => {
      const headers = answer.headers ? { headers: headersOf(answer.headers) } : {}
      const content = contentOf(id, answer, schemas)
      return [status, { description: answer.description, ...headers, ...(content ? { content } : {}) }]
    }),
  )
}

function contentOf(id: string, { schema, type }: OperationAnswer, schemas: Json): Json | undefined {
  const example = exampleOf(id, 'answer')
  const withExample = example === undefined ? {} : { example }
  if (!schema) return type === undefined ? undefined : { [type]: { schema: schemaOfBytes(type) } }
  const described = toSchema(schema, 'output', schemas)
  if (type === undefined) return { 'application/json': { schema: described, ...withExample } }
  // A stream is text; what each of its events holds is said beside.
  return { [type]: { schema: schemaOfBytes(type), 'x-event-data': described } }
}

const schemaOfBytes = (type: string) => (type === 'application/json' ? { type: 'object' } : { type: 'string' })

const headersOf = (headers: Record<string, string>) =>
  Object.fromEntries(
    Object.entries(headers).map(([name, description]) => [name, { description, schema: { type: 'string' } }]),
  )

/** What the call can be refused with, by status, with the codes of each. */
function problemsOf({ access, path, query, body, errors }: Operation): Json {
  const codes = new Set<ErrorCode | 'internal'>(['internal', ...errors])
  if (access === 'token') for (const code of TOKEN_ERRORS) codes.add(code)
  if (access === 'link') for (const code of LINK_ERRORS) codes.add(code)
  if (path.includes('{') || query || body) codes.add('invalid_request')
  if (body) codes.add('body_too_large')
  const byStatus = Map.groupBy(codes, (code) => (code === 'internal' ? 500 : STATUS[code]))
  return Object.fromEntries([...byStatus].map(([status, some]) => [status, problem(some.toSorted())]))
}

function problem(codes: string[]): Json {
  const schema = {
    allOf: [{ $ref: '#/components/schemas/Problem' }, { properties: { code: { enum: codes } } }],
  }
  return { description: codes.join(', '), content: { 'application/problem+json': { schema } } }
}

function problemSchema(): Json {
  return {
    type: 'object',
    description: 'RFC 9457. Some codes come with fields of their own.',
    properties: {
      type: { const: 'about:blank' },
      title: { type: 'string' },
      status: { type: 'integer' },
      code: { enum: [...Object.keys(STATUS), 'internal'].toSorted() },
      detail: { type: 'string' },
      errorId: { type: 'string', description: 'with `internal`: the log has it too' },
    },
    required: ['type', 'title', 'status', 'code'],
  }
}

/** Schemas with an id go into the components, and are referred to. */
function toSchema(schema: z.ZodType, io: 'input' | 'output', schemas: Json): Json {
  const made = z.toJSONSchema(z.object({ it: schema }), { io, override: ({ jsonSchema }) => withoutNoise(jsonSchema) })
  const { properties, $defs = {} } = made as unknown as { properties: { it: Json }; $defs?: Json }
  const pointed = JSON.parse(
    JSON.stringify({ it: properties.it, $defs }).replaceAll('"#/$defs/', '"#/components/schemas/'),
  ) as { it: Json; $defs: Json }
  for (const [id, definition] of Object.entries(pointed.$defs)) schemas[id] = definition
  return pointed.it
}

/** A format says it: zod's patterns for it are long. */
function withoutNoise(schema: Json): void {
  if (schema['format'] !== undefined) delete schema['pattern']
  delete schema['id']
}
