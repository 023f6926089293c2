/**
 * The form of a JSON value without its content: which keys, and what kind of value under each. Two values of one form
 * can be read by the same code.
 */
export function formOf(value: unknown): unknown {
  if (Array.isArray(value)) return [...new Set(value.map((one) => JSON.stringify(formOf(one))))]
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, formOf(one)]))
  }
  if (typeof value === 'string') return textForm(value)
  return value === null ? 'null' : typeof value === 'boolean' ? String(value) : `number of ${digits(value)}`
}

/** Keys in the order in which they were written. */
export function orderedForm(json: string): string {
  return JSON.stringify(formOf(JSON.parse(json)))
}

function digits(value: unknown): string {
  return Number(value) === 0 ? 'zero' : Number(value) > 1e15 ? 'ns' : 'any'
}

function textForm(text: string): string {
  const id = /^(EG|RM|PA|EV|TR)_(VS|As)?[A-Za-z0-9]{12,14}$/.exec(text)
  if (id) return `${id[1]}_${id[2] ?? ''} id`
  if (/^\d+$/.test(text)) return timeForm(text)
  if (/^([A-Z]{2,}[A-Z_]*|(room|participant|track|egress)_[a-z]+)$/.test(text)) return text
  return text === '' ? 'empty' : 'text'
}

/** An instant of these years tells its unit by its length; any other number is just digits. */
function timeForm(text: string): string {
  if (text === '0') return 'zero'
  if (!/^1[78]/.test(text)) return 'digits'
  const units: Record<number, string> = { 10: 'seconds', 13: 'ms', 16: 'us', 19: 'ns' }
  return units[text.length] ?? 'digits'
}
