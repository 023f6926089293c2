/** Every way in which a request can fail on purpose. `http/errors.ts` gives each its status. */
export type ErrorCode =
  | 'already_recording'
  | 'bad_signature'
  | 'body_too_large'
  | 'database_unavailable'
  | 'ffmpeg_failed'
  | 'forbidden'
  | 'idempotency_key_reused'
  | 'invalid_request'
  | 'limit_reached'
  | 'link_expired'
  | 'link_invalid'
  | 'livekit_unavailable'
  | 'method_not_allowed'
  | 'missing_grant'
  | 'node_unavailable'
  | 'not_found'
  | 'not_sharing'
  | 'other_room'
  | 'quota_exceeded'
  | 'range_not_recorded'
  | 'range_not_satisfiable'
  | 'storage_full'
  | 'token_algorithm'
  | 'token_expired'
  | 'token_malformed'
  | 'token_not_yet_valid'
  | 'token_signature'
  | 'token_unknown_key'
  | 'too_many_requests'
  | 'unauthorized'

/** Fields that an error carries beside its message, shown to the client as they are. */
export type ErrorDetails = Record<string, unknown>

/** A failure that was foreseen. Anything else that is thrown is a bug. */
export class AppError extends Error {
  readonly code: ErrorCode
  readonly details: ErrorDetails

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; details?: ErrorDetails } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.name = 'AppError'
    this.code = code
    this.details = options.details ?? {}
  }
}

/** The settings cannot be used. Its message lists every problem, one a line. */
export class ConfigError extends Error {
  override name = 'ConfigError'
}
