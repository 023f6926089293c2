import { TokenVerifier } from 'livekit-server-sdk'
import { AppError } from '../errors.ts'

/** Who calls, as their LiveKit access token says. */
export interface Caller {
  /** `sub`: the participant's identity; undefined for a backend, which names the user it acts for. */
  userId: string | undefined
  /** The room whose sessions the caller may see (`roomJoin`) or act in for anyone (`roomAdmin`). */
  room: string | undefined
  isRoomAdmin: boolean
  /** `roomRecord`: a backend, which may do everything. */
  isBackend: boolean
}

export type VerifyToken = (token: string) => Promise<Caller>

/** Verifies a token against the API key and secret. Throws `unauthorized`. */
export function createTokenVerifier(livekit: { apiKey: string; apiSecret: string }): VerifyToken {
  const verifier = new TokenVerifier(livekit.apiKey, livekit.apiSecret)
  return async (token) => {
    const claims = await verifier.verify(token).catch((cause: unknown) => {
      throw new AppError('unauthorized', 'the access token is not valid: expired, or signed with another key', {
        cause,
      })
    })
    const video = claims.video ?? {}
    return {
      userId: claims.sub,
      room: video.roomJoin || video.roomAdmin ? video.room : undefined,
      isRoomAdmin: video.roomAdmin === true,
      isBackend: video.roomRecord === true,
    }
  }
}
