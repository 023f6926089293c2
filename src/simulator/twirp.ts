import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { TokenVerifier, type VideoGrant } from 'livekit-server-sdk'
import { protoJson, type Message } from './protojson.ts'
import { LostAnswer, TWIRP_STATUS, TwirpError } from './twirp-error.ts'

/** LiveKit's API transport: POST /twirp/livekit.<Service>/<Method>, JSON, a bearer token with grants. */
export type Grants = VideoGrant
export type TwirpMethod = (json: string, grants: Grants) => Promise<string>
export type TwirpService = Record<string, TwirpMethod>

type RequestType<T> = { fromJsonString: (json: string, options: { ignoreUnknownFields: boolean }) => T }

/** One method: its request's type, who may call it, and what it answers. */
export function rpc<T>(
  type: RequestType<T>,
  isAllowed: (grants: Grants, request: T) => boolean,
  answer: (request: T) => Message | Promise<Message>,
): TwirpMethod {
  return async (json, grants) => {
    const request = decode(type, json)
    if (!isAllowed(grants, request)) throw new TwirpError('unauthenticated', 'permissions denied')
    return protoJson(await answer(request), 'twirp')
  }
}

function decode<T>(type: RequestType<T>, json: string): T {
  try {
    return type.fromJsonString(json, { ignoreUnknownFields: true })
  } catch {
    throw new TwirpError('malformed', 'the json request could not be decoded')
  }
}

export type TwirpOptions = {
  host: string
  port: number
  apiKey: string
  apiSecret: string
  services: Record<string, TwirpService>
  /** For the Date of each answer. */
  now?: () => number
}

export async function startTwirp(options: TwirpOptions): Promise<{ url: string; stop: () => Promise<void> }> {
  const verifier = new TokenVerifier(options.apiKey, options.apiSecret)
  const { now = Date.now } = options
  const date = () => new Date(now()).toUTCString()
  const server = http.createServer((request, response) => {
    handle(options, verifier, request)
      .then(({ status, type, body }) => response.writeHead(status, { 'Content-Type': type, Date: date() }).end(body))
      .catch(() => response.destroy())
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, options.host, resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    url: `http://${options.host}:${port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

type HttpAnswer = { status: number; type: string; body: string }

async function handle(options: TwirpOptions, verifier: TokenVerifier, request: http.IncomingMessage) {
  const json = await text(request)
  try {
    const method = route(options, request)
    const grants = await authenticate(options.apiKey, verifier, request.headers.authorization)
    if ('status' in grants) return grants
    return { status: 200, type: 'application/json', body: await method(json, grants.video) }
  } catch (error) {
    if (error instanceof LostAnswer) throw error
    return failure(error)
  }
}

function route({ services }: TwirpOptions, { method, url = '' }: http.IncomingMessage): TwirpMethod {
  const [, service = '', name = ''] = /^\/twirp\/livekit\.(\w+)\/(\w+)$/.exec(url) ?? []
  const found = services[service]?.[name]
  if (method !== 'POST') throw new TwirpError('bad_route', `unsupported method "${method}" (only POST is allowed)`)
  if (!found) throw new TwirpError('bad_route', `no handler for path "${url}"`)
  return found
}

/** The token itself is checked in front of Twirp, so its errors are plain text. */
async function authenticate(
  apiKey: string,
  verifier: TokenVerifier,
  header: string | undefined,
): Promise<HttpAnswer | { video: Grants }> {
  if (header === undefined) return { video: {} }
  const token = /^Bearer (.+)$/.exec(header)?.[1]
  if (!token) return refused('invalid authorization header. Must start with Bearer ')
  if (issuer(token) !== apiKey) return refused('invalid API key')
  try {
    const { video } = await verifier.verify(token)
    return { video: video ?? {} }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    return refused(`invalid authorization token: ${token}, error: ${why}`)
  }
}

function refused(body: string): HttpAnswer {
  return { status: 401, type: 'text/plain; charset=utf-8', body: `${body}\n` }
}

function issuer(token: string): unknown {
  try {
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { iss?: unknown }
    return claims.iss
  } catch {
    return undefined
  }
}

function failure(error: unknown): HttpAnswer {
  const known = error instanceof TwirpError
  const code = known ? error.code : 'internal'
  const body = JSON.stringify({ code, msg: error instanceof Error ? error.message : String(error) })
  return { status: TWIRP_STATUS[code], type: 'application/json', body }
}
