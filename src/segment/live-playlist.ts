/** A segment of the buffer, as its row has it. */
export interface BufferSegment {
  sequence: number
  startMs: number
  durationMs: number
  /** Names the init segment that it needs; undefined when it cannot be read. */
  config: string | undefined
}

export interface LivePlaylistParts {
  segments: BufferSegment[]
  /** When the share was there, in media time; outside of it egress recorded black. */
  shared: { fromMs: number; toMs: number }[]
  /** Wall clock of media time 0. */
  originMs: number
  segmentSeconds: number
  /** How often the configuration changed before the first of these segments. */
  changesBefore: number
  /** Nothing more will land. */
  isEnded: boolean
  /** The address of a file beside the playlist. */
  linkOf: (name: string) => string
}

interface Item {
  sequence: number
  startMs: number
  durationMs: number
  /** Undefined for a stretch that has nothing to show. */
  config: string | undefined
}

/** Less of a share than this in a segment is the rounding of instants. */
const LEAST_SHARED_MS = 40

/**
 * A buffer as HLS (RFC 8216bis): a window that slides, numbered as egress numbers its
 * segments, each with the wall clock of its first picture. What is missing, could not be
 * read or was not shared is a GAP of the same length, so that time in the player goes on.
 * Undefined when there is nothing to show. Pure.
 */
export function livePlaylist(parts: LivePlaylistParts): string | undefined {
  const items = listItems(parts)
  const [first] = items
  if (!first) return undefined
  const longest = Math.max(...items.map((item) => Math.round(item.durationMs / 1000)))
  const lines = [
    '#EXTM3U',
    '#EXT-X-VERSION:7',
    `#EXT-X-TARGETDURATION:${Math.max(parts.segmentSeconds, longest)}`,
    `#EXT-X-MEDIA-SEQUENCE:${first.sequence}`,
    `#EXT-X-DISCONTINUITY-SEQUENCE:${parts.changesBefore}`,
    '#EXT-X-INDEPENDENT-SEGMENTS',
  ]
  let config: string | undefined
  for (const item of items) {
    if (item.config !== undefined && item.config !== config) {
      if (config !== undefined) lines.push('#EXT-X-DISCONTINUITY')
      lines.push(`#EXT-X-MAP:URI="${parts.linkOf(`init-${item.config}.mp4`)}"`)
      config = item.config
    }
    if (item.config === undefined) lines.push('#EXT-X-GAP')
    lines.push(
      `#EXT-X-PROGRAM-DATE-TIME:${new Date(parts.originMs + item.startMs).toISOString()}`,
      `#EXTINF:${(item.durationMs / 1000).toFixed(3)},`,
      parts.linkOf(`segment-${item.sequence}.m4s`),
    )
  }
  if (parts.isEnded) lines.push('#EXT-X-ENDLIST')
  return `${lines.join('\n')}\n`
}

/** From the first to the last segment that shows something, without a number left out. */
function listItems({ segments, shared }: LivePlaylistParts): Item[] {
  const isShown = (segment: BufferSegment) => segment.config !== undefined && isShared(segment, shared)
  const from = segments.findIndex(isShown)
  const to = segments.findLastIndex(isShown)
  if (from < 0) return []
  const items: Item[] = []
  for (let i = from; i <= to; i += 1) {
    const segment = segments[i]
    const next = i < to ? segments[i + 1] : undefined
    if (!segment) continue
    // A segment lasts until the next one begins: so rounding does not add up, and a hole is part of it.
    const isFollowed = next?.sequence === segment.sequence + 1
    const durationMs = isFollowed ? Math.max(1, next.startMs - segment.startMs) : segment.durationMs
    const { sequence, startMs, config } = segment
    items.push({ sequence, startMs, durationMs, config: isShown(segment) ? config : undefined })
    if (next && !isFollowed) items.push(...missing(segment, next))
  }
  return items
}

function isShared({ startMs, durationMs }: BufferSegment, shared: LivePlaylistParts['shared']): boolean {
  return shared.some(
    ({ fromMs, toMs }) => Math.min(toMs, startMs + durationMs) - Math.max(fromMs, startMs) >= LEAST_SHARED_MS,
  )
}

/** What lies between two segments, in as many parts as there are numbers between theirs. */
function missing(before: BufferSegment, after: BufferSegment): Item[] {
  const count = after.sequence - before.sequence - 1
  const fromMs = before.startMs + before.durationMs
  const eachMs = Math.max(1, after.startMs - fromMs) / Math.max(1, count)
  return Array.from({ length: count }, (_, i) => ({
    sequence: before.sequence + 1 + i,
    startMs: Math.round(fromMs + i * eachMs),
    durationMs: Math.round(fromMs + (i + 1) * eachMs) - Math.round(fromMs + i * eachMs),
    config: undefined,
  }))
}
