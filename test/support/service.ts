import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AccessToken, type VideoGrant } from 'livekit-server-sdk'
import { parseConfig, type Config } from '../../src/config.ts'
import { startService, type Service } from '../../src/service.ts'
import { PHASE_LIMITS_MS, type PhaseLimits } from '../../src/service/shutdown.ts'
import { createTestDatabase, type TestDatabase } from './database.ts'
import { keepLog, type LogLine } from './log.ts'

export const API_KEY = 'devkey'
export const API_SECRET = 'secretsecretsecretsecretsecretsecret'

export interface TestService {
  service: Service
  url: string
  config: Config
  database: TestDatabase
  lines: LogLine[]
  /** The service's clock; tests move it. */
  clock: { offsetMs: number }
  /** A call as JSON; `token` is who calls. */
  call(method: string, path: string, options?: CallOptions): Promise<Answer>
  /** Signs a webhook body afresh and delivers it. */
  deliver(body: string, options?: { secret?: string }): Promise<Answer>
  /** Stops it as its operator would, and everything made for it. */
  stop: () => Promise<void>
  /** Stops the service alone and starts another on the same database and disk. */
  restart: () => Promise<void>
}

export interface CallOptions {
  token?: string
  body?: unknown
  headers?: Record<string, string>
}

export interface Answer {
  status: number
  headers: Headers
  // oxlint-disable-next-line typescript/no-explicit-any -- a test looks into whatever JSON came
  body: any
}

export interface TestServiceOptions {
  livekitUrl: string
  config?: Partial<Config>
  env?: Record<string, string>
  database?: TestDatabase
  dataPath?: string
  /** Another service's, when two are to agree on what time it is. */
  clock?: { offsetMs: number }
  /** Schedules run only when the test runs them. */
  withoutTicks?: boolean
  /** How long each phase of its end may take. */
  phaseLimitsMs?: PhaseLimits
}

/** A service with its own database and disk, beside whatever LiveKit answers at this URL. */
export async function startTestService(options: TestServiceOptions): Promise<TestService> {
  const database = options.database ?? (await createTestDatabase())
  const dataPath = options.dataPath ?? (await mkdtemp(join(tmpdir(), 'livekit-replay-test-')))
  const config = { ...parseConfig(environment(options, database, dataPath)), ...options.config }
  const { log, lines } = keepLog()
  const clock = options.clock ?? { offsetMs: 0 }
  const now = () => new Date(Date.now() + clock.offsetMs)
  const { withoutTicks = false, phaseLimitsMs = PHASE_LIMITS_MS } = options
  const overrides = { log, now, withoutTicks, phaseLimitsMs }
  let service = await startService(config, overrides)
  const test: TestService = {
    service,
    url: service.url,
    config,
    database,
    lines,
    clock,
    call: async (method, path, call = {}) => request(new URL(path, test.url), method, call),
    deliver: async (body, { secret = API_SECRET } = {}) => {
      const authorization = await signWebhook(body, secret)
      const headers = { authorization, 'content-type': 'application/webhook+json' }
      return request(new URL('/webhooks/livekit', test.url), 'POST', { headers, body })
    },
    async stop() {
      await service.stop()
      if (!options.database) await database.drop()
      if (!options.dataPath) await rm(dataPath, { recursive: true, force: true })
    },
    async restart() {
      await service.stop()
      service = await startService(config, overrides)
      test.service = service
      test.url = service.url
    },
  }
  return test
}

function environment(options: TestServiceOptions, database: TestDatabase, dataPath: string) {
  return {
    LIVEKIT_URL: options.livekitUrl,
    LIVEKIT_API_KEY: API_KEY,
    LIVEKIT_API_SECRET: API_SECRET,
    DATABASE_URL: database.url,
    REPLAY_DATA_PATH: dataPath,
    REPLAY_MIN_FREE_BYTES: '0',
    REPLAY_CAPTURES_PER_MINUTE: '1000000',
    PORT: '0',
    ...options.env,
  }
}

async function request(url: URL, method: string, { token, body, headers }: CallOptions): Promise<Answer> {
  const isJson = body !== undefined && typeof body !== 'string' && !(body instanceof Uint8Array)
  const response = await fetch(url, {
    method,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(isJson ? { 'content-type': 'application/json' } : {}),
      ...headers,
    },
    ...(body === undefined ? {} : { body: isJson ? JSON.stringify(body) : (body as string) }),
  })
  const bytes = Buffer.from(await response.arrayBuffer())
  const isText = /json/.test(response.headers.get('content-type') ?? '')
  return {
    status: response.status,
    headers: response.headers,
    body: isText && bytes.length > 0 ? (JSON.parse(bytes.toString()) as unknown) : bytes,
  }
}

/** As LiveKit does (contract section 6): the token goes without Bearer and signs the body's hash. */
export async function signWebhook(body: string, secret = API_SECRET): Promise<string> {
  const token = new AccessToken(API_KEY, secret, { ttl: '5m' })
  token.sha256 = createHash('sha256').update(body).digest('base64')
  return token.toJwt()
}

/** A LiveKit access token; by default of a participant of the room. */
export async function tokenOf(identity: string | undefined, grant: VideoGrant): Promise<string> {
  const token = new AccessToken(API_KEY, API_SECRET, identity === undefined ? {} : { identity })
  token.addGrant(grant)
  return token.toJwt()
}

export const memberToken = (identity: string, room: string) => tokenOf(identity, { room, roomJoin: true })
export const adminToken = (identity: string, room: string) =>
  tokenOf(identity, { room, roomJoin: true, roomAdmin: true })
export const backendToken = () => tokenOf(undefined, { roomRecord: true })
