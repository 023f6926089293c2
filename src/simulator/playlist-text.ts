/** One line pair of a playlist. */
export type PlaylistEntry = { name: string; programDateTimeMs: number; durationSeconds: number }

type PlaylistForm = { live: boolean; targetDuration: number; sequence: number; ended: boolean }

/** A playlist in egress's own words. */
export function playlistText(entries: PlaylistEntry[], form: PlaylistForm): string {
  const lines = [
    '#EXTM3U',
    '#EXT-X-VERSION:4',
    ...(form.live ? [] : ['#EXT-X-PLAYLIST-TYPE:EVENT']),
    '#EXT-X-ALLOW-CACHE:NO',
    `#EXT-X-TARGETDURATION:${form.targetDuration}`,
    `#EXT-X-MEDIA-SEQUENCE:${form.sequence}`,
    ...entries.flatMap((entry) => [
      `#EXT-X-PROGRAM-DATE-TIME:${goDateTime(entry.programDateTimeMs)}`,
      `#EXTINF:${entry.durationSeconds.toFixed(3)},`,
      entry.name,
    ]),
    ...(form.ended ? ['#EXT-X-ENDLIST'] : []),
  ]
  return `${lines.join('\n')}\n`
}

/** Go's `.999`: milliseconds cut off, their trailing zeros dropped, and no point where nothing is left. */
export function goDateTime(ms: number): string {
  return new Date(Math.floor(ms)).toISOString().replace(/\.?0*Z$/, 'Z')
}
