import { AppError } from '../errors.ts'

/** Told of each call: `ok`, `refused` (LiveKit will not do it) or `unavailable`. */
export type OnCall = (method: string, outcome: 'ok' | 'refused' | 'unavailable', tookMs: number) => void

/** The same API, each call of which is told of under `<name>.<its own name>`. */
export function timeCalls<A extends object>(name: string, api: A, onCall: OnCall): A {
  const timed = Object.entries(api as Record<string, (...args: unknown[]) => Promise<unknown>>).map(
    ([method, call]) => [method, timeCall(`${name}.${method}`, call, onCall)] as const,
  )
  return Object.fromEntries(timed) as A
}

/** The same for one call. */
export function timeCall<P extends unknown[], R>(
  name: string,
  call: (...args: P) => Promise<R>,
  onCall: OnCall,
): (...args: P) => Promise<R> {
  return async (...args) => {
    const startedAt = performance.now()
    const tell = (outcome: Parameters<OnCall>[1]) => onCall(name, outcome, performance.now() - startedAt)
    try {
      const answer = await call(...args)
      tell('ok')
      return answer
    } catch (error) {
      tell(error instanceof AppError && error.code === 'livekit_unavailable' ? 'unavailable' : 'refused')
      throw error
    }
  }
}
