import { ServerError } from 'livekit-server-sdk'
import { AppError } from '../errors.ts'

/**
 * Throws what a failed call to LiveKit means to us. Everything but LiveKit's refusal of
 * what we asked (which is a bug or a wrong key, and is thrown as it came) is
 * `livekit_unavailable`: nobody there, no worker, a time-out.
 */
export function livekitError(error: unknown): never {
  const refused = error instanceof ServerError && error.status < 500 && error.status !== 408 && error.status !== 429
  if (refused) throw error
  throw new AppError('livekit_unavailable', 'LiveKit did not do what it was asked', { cause: error })
}

/** LiveKit does not know the room or the participant. */
export function isNotFound(error: unknown): boolean {
  return error instanceof ServerError && error.code === 'not_found'
}
