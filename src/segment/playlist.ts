/** One closed segment, as a playlist of egress names it. */
export interface PlaylistEntry {
  sequence: number
  fileName: string
  /** EXT-X-PROGRAM-DATE-TIME: later than the picture by a constant; differences between entries are media time. */
  programDateTime: Date
  durationMs: number
}

export interface Playlist {
  entries: PlaylistEntry[]
  /** EXT-X-ENDLIST: nothing will follow. */
  ended: boolean
}

const SEGMENT = /^seg_(\d{5,9})\.ts$/
const PROGRAM_DATE_TIME = '#EXT-X-PROGRAM-DATE-TIME:'
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?Z$/
const EXTINF = /^#EXTINF:(\d{1,6}(?:\.\d{1,9})?),/

/**
 * Reads `index.m3u8` or `live.m3u8`. Total: whatever the bytes, it gives the entries
 * that are wholly there, in order of their sequence, each once. Egress truncates and
 * rewrites its playlists (contract section 2), so one that is empty or cut is normal:
 * undefined means "not yet", and a cut one gives the entries before the cut.
 */
export function parsePlaylist(text: string): Playlist | undefined {
  const lines = text.split('\n')
  // What stands behind the last line feed is not written out yet.
  lines.pop()
  if (lines[0]?.trimEnd() !== '#EXTM3U') return undefined
  const entries = new Map<number, PlaylistEntry>()
  let programDateTime: Date | undefined
  let durationMs: number | undefined
  for (const raw of lines) {
    const line = raw.trimEnd()
    if (line.startsWith(PROGRAM_DATE_TIME)) programDateTime = parseInstant(line.slice(PROGRAM_DATE_TIME.length))
    else if (line.startsWith('#EXTINF:')) durationMs = parseDuration(line)
    else if (line !== '' && !line.startsWith('#')) {
      const sequence = parseSequence(line)
      if (sequence !== undefined && programDateTime && durationMs !== undefined)
        entries.set(sequence, { sequence, fileName: line, programDateTime, durationMs })
      programDateTime = undefined
      durationMs = undefined
    }
  }
  const ended = lines.some((line) => line.trimEnd() === '#EXT-X-ENDLIST')
  return { entries: [...entries.values()].toSorted((a, b) => a.sequence - b.sequence), ended }
}

/** The number in a segment's file name, or undefined if egress did not name it. */
export function parseSequence(fileName: string): number | undefined {
  const digits = SEGMENT.exec(fileName)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

function parseInstant(text: string): Date | undefined {
  if (!INSTANT.test(text)) return undefined
  const instant = new Date(text)
  return Number.isNaN(instant.getTime()) ? undefined : instant
}

/** Milliseconds. A duration of zero is no segment. */
function parseDuration(line: string): number | undefined {
  const seconds = Number(EXTINF.exec(line)?.[1] ?? 0)
  return seconds > 0 ? Math.max(1, Math.round(seconds * 1000)) : undefined
}
