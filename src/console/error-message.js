import { ApiError, OfflineError } from './api.js'
import { strings } from './strings.js'

/** What went wrong, in words. @param {unknown} error */
export function messageOf(error) {
  if (error instanceof OfflineError) return strings.errors.offline
  if (!(error instanceof ApiError)) return strings.errors.unknown
  return strings.errors.codes[error.code] ?? strings.errors.other(error.message)
}
