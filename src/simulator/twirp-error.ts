/** Twirp's codes, as far as LiveKit uses them, and their HTTP statuses. */
export const TWIRP_STATUS = {
  malformed: 400,
  invalid_argument: 400,
  unauthenticated: 401,
  bad_route: 404,
  not_found: 404,
  deadline_exceeded: 408,
  failed_precondition: 412,
  internal: 500,
  unavailable: 503,
}

export class TwirpError extends Error {
  readonly code: keyof typeof TWIRP_STATUS

  constructor(code: keyof typeof TWIRP_STATUS, message: string) {
    super(message)
    this.code = code
  }
}

/** The connection dies instead of an answer. */
export class LostAnswer extends Error {}
