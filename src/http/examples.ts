import { readFileSync } from 'node:fs'

/*
 * What the service really answered, and was really asked: written by the test that checks
 * every answer against the description (UPDATE_EXAMPLES=1 writes it anew).
 */

export interface Example {
  request?: unknown
  answer?: unknown
}

export const EXAMPLES_FILE = new URL('examples.json', import.meta.url)

let examples: Record<string, Example> | undefined

export function exampleOf(operationId: string, part: keyof Example): unknown {
  examples ??= JSON.parse(readFileSync(EXAMPLES_FILE, 'utf8')) as Record<string, Example>
  return examples[operationId]?.[part]
}
