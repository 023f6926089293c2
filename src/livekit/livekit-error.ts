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

/**
 * Whether a call that failed may have been obeyed all the same: no answer came, or one that
 * says no more than that LiveKit itself had none (contract section 7).
 */
export function mayHaveBeenObeyed(error: unknown): boolean {
  const cause = error instanceof AppError ? error.cause : error
  if (cause instanceof ServerError) return cause.code === 'deadline_exceeded' || cause.code === 'internal'
  return !isUnreachable(cause)
}

/** The call never left: nobody listens there. */
function isUnreachable(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = 'code' in error ? error.code : undefined
  return code === 'ECONNREFUSED' || code === 'ENOTFOUND' || isUnreachable(error.cause)
}
