import { until } from './until.ts'

export interface SeenEvent {
  event: string
  id: string | undefined
  // oxlint-disable-next-line typescript/no-explicit-any -- a test looks into whatever JSON came
  data: any
}

export interface OpenEvents {
  seen: SeenEvent[]
  status: number
  names(): string[]
  /** The first of this name, when it comes. */
  next(event: string, matches?: (seen: SeenEvent) => boolean): Promise<SeenEvent>
  /** Resolves when the service has ended the stream. */
  ended: Promise<void>
  close(): Promise<void>
}

/** Follows `/v1/events` as a client does. */
export async function openEvents(url: string, token: string, lastEventId?: string): Promise<OpenEvents> {
  const abort = new AbortController()
  const resume = lastEventId === undefined ? {} : { 'last-event-id': lastEventId }
  const headers = { authorization: `Bearer ${token}`, ...resume }
  const answer = await fetch(`${url}/v1/events`, { headers, signal: abort.signal })
  const seen: SeenEvent[] = []
  const ended = read(answer, seen).catch(() => undefined)
  return {
    seen,
    status: answer.status,
    names: () => seen.map(({ event }) => event),
    next: (event, matches = () => true) =>
      until(`the event ${event}`, () => seen.find((one) => one.event === event && matches(one))),
    ended,
    async close() {
      abort.abort()
      await ended
    },
  }
}

async function read(answer: Response, seen: SeenEvent[]): Promise<void> {
  let text = ''
  const decoder = new TextDecoder()
  for await (const chunk of answer.body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true })
    const blocks = text.split('\n\n')
    text = blocks.pop() ?? ''
    seen.push(...blocks.flatMap(parseEvent))
  }
}

function parseEvent(block: string): SeenEvent[] {
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1]
  const event = field('event')
  return event === undefined ? [] : [{ event, id: field('id'), data: JSON.parse(field('data') ?? 'null') as unknown }]
}
