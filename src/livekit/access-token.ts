import { TokenVerifier } from 'livekit-server-sdk'
import { AppError, type ErrorCode } from '../errors.ts'

/** Who calls, as their LiveKit access token says. */
export interface Caller {
  /** `sub`: the participant's identity; undefined for a backend, which names the user it acts for. */
  userId: string | undefined
  /** The room whose sessions the caller may see (`roomJoin`) or act in for anyone (`roomAdmin`). */
  room: string | undefined
  isRoomAdmin: boolean
  /** `roomRecord`: a backend, which may do everything. */
  isBackend: boolean
  expiresAt: Date
}

export type VerifyToken = (token: string) => Promise<Caller>

export interface ApiKey {
  apiKey: string
  apiSecret: string
}

/**
 * Verifies a token against the API key that it names, one of several. Throws
 * `token_malformed`, `token_algorithm`, `token_unknown_key`, `token_signature`,
 * `token_expired`, `token_not_yet_valid`, and `missing_grant` for one that lets nobody
 * into a room.
 */
export function createTokenVerifier(livekit: { keys: ApiKey[] }): VerifyToken {
  const verifiers = createVerifiers(livekit.keys)
  return async (token) => {
    const verifier = verifiers.get(unverifiedClaims(token).issuer)
    if (!verifier) throw new AppError('token_unknown_key', 'the access token names an API key that is not in use here')
    const claims = await verifier.verify(token).catch((cause: unknown) => {
      const [code, message] = whatIsWrong(cause)
      throw new AppError(code, message, { cause })
    })
    const video = claims.video ?? {}
    if (!video.roomJoin && !video.roomAdmin && !video.roomRecord)
      throw new AppError('missing_grant', 'the access token has none of roomJoin, roomAdmin and roomRecord')
    return {
      userId: claims.sub === '' ? undefined : claims.sub,
      room: video.roomJoin || video.roomAdmin ? video.room : undefined,
      isRoomAdmin: video.roomAdmin === true,
      isBackend: video.roomRecord === true,
      expiresAt: new Date((claims.exp ?? 0) * 1000),
    }
  }
}

/** By the name of the key. */
export function createVerifiers(keys: ApiKey[]): Map<string, TokenVerifier> {
  return new Map(keys.map(({ apiKey, apiSecret }) => [apiKey, new TokenVerifier(apiKey, apiSecret)]))
}

/** Which key a token says it was signed with. Throws `token_malformed`, `token_algorithm`. */
export function unverifiedClaims(token: string): { issuer: string } {
  const [header, claims, signature, ...more] = token.split('.')
  const { alg } = readPart(header)
  const { iss } = readPart(claims)
  if (signature === undefined || more.length > 0) throw malformed()
  // LiveKit's own: with anything else, and above all with `none`, nobody has signed.
  if (alg !== 'HS256') throw new AppError('token_algorithm', 'the access token must be signed with HS256')
  return { issuer: typeof iss === 'string' ? iss : '' }
}

function readPart(part: string | undefined): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(Buffer.from(part ?? '', 'base64url').toString())
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch {
    throw malformed()
  }
  throw malformed()
}

const malformed = () => new AppError('token_malformed', 'this is no LiveKit access token')

/** The codes of the library below the SDK (jose). */
function whatIsWrong(error: unknown): [ErrorCode, string] {
  const { code, claim } = error as { code?: unknown; claim?: unknown }
  if (code === 'ERR_JWT_EXPIRED') return ['token_expired', 'the access token has expired']
  if (code === 'ERR_JWT_CLAIM_VALIDATION_FAILED' && claim === 'nbf')
    return ['token_not_yet_valid', 'the access token is not valid yet']
  if (code === 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED')
    return ['token_signature', 'the access token was not signed with the secret of its API key']
  return ['token_malformed', 'this is no LiveKit access token']
}
