/*
 * The HTTP API. What goes wrong is one of two things: the service said why (ApiError), or
 * it was not reached (OfflineError).
 */

export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} code
   * @param {string} detail
   */
  constructor(status, code, detail) {
    super(detail)
    this.status = status
    this.code = code
  }
}

export class OfflineError extends Error {}

/**
 * @typedef {object} CallOptions
 * @property {unknown} [body]
 * @property {Record<string, string>} [headers]
 * @property {boolean} [keepalive] finishes though the page goes
 * @property {AbortSignal} [signal]
 */

/** @typedef {ReturnType<typeof createApi>} Api */

/**
 * @param {string} token
 * @param {(error: ApiError) => void} onRefused the token is not good (any more)
 */
export function createApi(token, onRefused) {
  const base = new URL('.', document.baseURI)
  let aheadMs = -Infinity

  /**
   * @param {string} method
   * @param {string} path
   * @param {CallOptions} [options]
   */
  async function send(method, path, { body, headers, keepalive = false, signal } = {}) {
    const init = {
      method,
      keepalive,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    }
    const response = await fetch(new URL(path, base), init).catch((error) => {
      throw signal?.aborted ? error : new OfflineError('the service does not answer')
    })
    const date = Date.parse(response.headers.get('date') ?? '')
    // The field has whole seconds and the answer took a while: the largest is the nearest, and never ahead.
    if (!Number.isNaN(date)) aheadMs = Math.max(aheadMs, date - Date.now())
    if (response.ok) return response
    const problem = await response.json().catch(() => ({}))
    const error = new ApiError(response.status, problem.code ?? 'internal', problem.detail ?? response.statusText)
    if (isRefusal(error)) onRefused(error)
    throw error
  }

  return {
    send,
    /**
     * @template T
     * @param {string} method
     * @param {string} path
     * @param {CallOptions} [options]
     * @returns {Promise<T>}
     */
    async call(method, path, options) {
      const response = await send(method, path, options)
      return response.json()
    },
    /** The service's clock, which instants are of. */
    now: () => Date.now() + (Number.isFinite(aheadMs) ? aheadMs : 0),
  }
}

/** @param {ApiError} error */
export const isRefusal = ({ status, code }) => status === 401 || code === 'missing_grant'

/**
 * A media link at the address that the page itself came from, whatever public one it was made for.
 * @param {string} link
 */
export function here(link) {
  const at = link.indexOf('/v1/')
  return new URL(link.slice(at + 1), new URL('.', document.baseURI)).href
}
