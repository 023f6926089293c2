/** What one look came to. */
export interface Finding {
  check: string
  state: 'ok' | 'warn' | 'fail'
  /** What was found, without secrets. */
  found: string
  /** What its reader is to do about it. */
  todo?: string
}

export const ok = (check: string, found: string): Finding => ({ check, state: 'ok', found })
export const warn = (check: string, found: string, todo: string): Finding => ({ check, state: 'warn', found, todo })
export const fail = (check: string, found: string, todo: string): Finding => ({ check, state: 'fail', found, todo })

/** A look at one thing. What it throws is a finding too. */
export type Look = () => Promise<Finding[]>

/** Runs a look; it never throws. */
export async function look(check: string, run: Look, todo: string): Promise<Finding[]> {
  try {
    return await run()
  } catch (error) {
    return [fail(check, messageOf(error), todo)]
  }
}

/** The first words of an error, or of what caused it: `fetch failed` alone helps nobody. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return messageOf(error.errors[0])
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause === undefined ? '' : `: ${messageOf(error.cause)}`
  return `${error.message.split('\n')[0] ?? ''}${cause}`
}
