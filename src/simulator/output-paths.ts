import path from 'node:path'
import { SegmentedFileSuffix, type SegmentedFileOutput } from '@livekit/protocol'

/** Where an egress writes, as it makes it out of prefix and playlist names. */
export type OutputPaths = {
  playlist: string
  /** Empty when no live playlist was asked for. */
  livePlaylist: string
  manifest: string
  /** Directory of the segments, and the same as the playlist names it. */
  directory: string
  nameInPlaylist: string
  prefix: string
  timestampNames: boolean
}

export type TemplateValues = { roomName: string; roomId: string; identity: string; egressId: string; nowMs: number }

/**
 * Egress's directory rules: names in a playlist are relative to the playlist's directory, and a prefix with another
 * directory becomes a directory below it.
 */
export function outputPaths(output: SegmentedFileOutput, values: TemplateValues): OutputPaths {
  const prefix = split(fill(output.filenamePrefix, values))
  const playlist = split(removeExtension(fill(output.playlistName, values)))
  const live = split(removeExtension(fill(output.livePlaylistName, values)))
  const base = playlist.base || prefix.base || `${values.roomName}-${goTime(values.nowMs)}`
  const directory = playlist.directory || prefix.directory
  const below = playlist.directory && prefix.directory !== playlist.directory ? prefix.directory : ''
  return {
    playlist: path.join(directory, `${base}.m3u8`),
    livePlaylist: live.base ? path.join(directory, `${live.base}.m3u8`) : '',
    manifest: path.join(directory, `${values.egressId}.json`),
    directory: path.join(directory, below),
    nameInPlaylist: below,
    prefix: prefix.base || base,
    timestampNames: output.filenameSuffix === SegmentedFileSuffix.TIMESTAMP,
  }
}

export function segmentName(paths: OutputPaths, index: number, startMs: number): string {
  if (!paths.timestampNames) return `${paths.prefix}_${String(index).padStart(5, '0')}.ts`
  return `${paths.prefix}_${new Date(startMs).toISOString().replace(/[-:TZ.]/g, '')}.ts`
}

function split(name: string): { directory: string; base: string } {
  const cut = name.lastIndexOf('/') + 1
  return { directory: name.slice(0, cut).replace(/(?<=.)\/$/, ''), base: name.slice(cut) }
}

/** Whatever follows the last dot, known or not. */
function removeExtension(name: string): string {
  const cut = name.lastIndexOf('.')
  return cut > name.lastIndexOf('/') ? name.slice(0, cut) : name
}

function fill(name: string, values: TemplateValues): string {
  return name
    .replaceAll('{room_name}', () => values.roomName)
    .replaceAll('{room_id}', () => values.roomId)
    .replaceAll('{publisher_identity}', () => values.identity)
    .replaceAll('{time}', () => goTime(values.nowMs))
    .replaceAll('{utc}', () => new Date(values.nowMs).toISOString().replace(/[-:TZ.]/g, ''))
}

function goTime(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).replaceAll(':', '')
}
