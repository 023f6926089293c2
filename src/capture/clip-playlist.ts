import type { Coverage } from '../db/schema.ts'
import { TICKS_PER_SECOND } from '../media/timeline.ts'

export interface PlaylistParts {
  /** Of each fragment, in ticks. */
  durations: number[]
  startOffsetSeconds: number
  coverage: Coverage
  /** More will follow: a clip that waits for the press to land. */
  isGrowing: boolean
  /** The address of a file beside the playlist. */
  linkOf: (name: string) => string
}

/** A clip as HLS (RFC 8216): fragmented MP4 over the same bytes as its file. Pure. */
export function clipPlaylist(parts: PlaylistParts): string {
  const { startOffsetSeconds, isGrowing, linkOf } = parts
  const seconds = parts.durations.map((ticks) => ticks / TICKS_PER_SECOND)
  const lines = [
    '#EXTM3U',
    '#EXT-X-VERSION:7',
    `#EXT-X-TARGETDURATION:${Math.max(1, Math.ceil(Math.max(0, ...seconds)))}`,
    `#EXT-X-PLAYLIST-TYPE:${isGrowing ? 'EVENT' : 'VOD'}`,
    '#EXT-X-INDEPENDENT-SEGMENTS',
    `#EXT-X-START:TIME-OFFSET=${startOffsetSeconds.toFixed(6)},PRECISE=YES`,
    `#EXT-X-MAP:URI="${linkOf('init.mp4')}"`,
  ]
  const wallClock = createWallClock(parts.coverage)
  let at = 0
  for (const [n, duration] of seconds.entries()) {
    lines.push(
      `#EXT-X-PROGRAM-DATE-TIME:${wallClock(at).toISOString()}`,
      `#EXTINF:${duration.toFixed(6)},`,
      linkOf(`fragment-${n}.m4s`),
    )
    at += duration
  }
  if (!isGrowing) lines.push('#EXT-X-ENDLIST')
  return `${lines.join('\n')}\n`
}

/** The wall clock of each instant of the clip, whose gaps are cut out of it. */
function createWallClock({ coveredFrom, coveredTo, gaps }: Coverage): (seconds: number) => Date {
  const begin = Date.parse(coveredFrom)
  const cuts = gaps
    .filter(({ from, to }) => from > coveredFrom && to < coveredTo)
    .map(({ from, to }) => ({ from: Date.parse(from), length: Date.parse(to) - Date.parse(from) }))
  return (seconds) => {
    let wall = begin + seconds * 1000
    for (const { from, length } of cuts) if (from <= wall) wall += length
    return new Date(Math.round(wall))
  }
}
