import { mkdir, open, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { SimulatorClock } from './clock.ts'
import { segmentName, type OutputPaths } from './output-paths.ts'
import { playlistText, type PlaylistEntry } from './playlist-text.ts'
import type { EncodedSegment } from './ts-splitter.ts'

/**
 * How closed segments come to the disk, in this order and never another: the segment's copy (create, write in pieces,
 * close), the main playlist, the live playlist. Nothing is renamed into place, so a reader may see half of anything.
 */
export type Landing = {
  /** Lands by itself when its time has come. */
  take: (segment: EncodedSegment) => void
  /** Lands what is left at once, ends both playlists and writes the manifest. */
  close: (manifest: (segments: string[]) => object) => Promise<void>
  /** Nothing lands any more; what landed stays. */
  abandon: () => void
  landed: () => { count: number; bytes: number }
  /** Media time of the end of the newest frame that was handed over. */
  endSeconds: () => number
}

export type LandingOptions = {
  clock: SimulatorClock
  paths: OutputPaths
  writesManifest: boolean
  segmentSeconds: number
  startedAtMs: number
  programDateTimeOffsetMs: number
  lagMs: number
  isDiskFull: () => boolean
  /** The first write that failed, in egress's words. */
  onFailure: (message: string) => void
}

// Measured: a segment is closed when the whole next one has arrived, and copied a little later.
export const LANDING_LAG_MS = 670
const PIECE_BYTES = 32 * 1024
const LIVE_ENTRIES = 5

export function startLanding(options: LandingOptions): Landing {
  const { clock, startedAtMs, segmentSeconds } = options
  const waiting: { segment: EncodedSegment; cancel: () => void }[] = []
  const folder = createFolder(options)
  let copying = Promise.resolve()
  let gone = false
  let endSeconds = 0

  /** One after the other: the promise chain is the queue. The first write that fails is the last. */
  function then(write: () => Promise<void>): void {
    const before = copying
    copying = (async () => {
      await before
      if (gone) return
      try {
        await write()
      } catch (error) {
        gone = true
        options.onFailure(`Local upload failed: ${error instanceof Error ? error.message : String(error)}`)
      }
    })()
  }

  /** A segment's length is known when the next one has begun; the last one ends with its last frame. */
  function landNext(last: boolean): void {
    const next = waiting.shift()
    if (!next) return
    next.cancel()
    const { segment } = next
    const { startSeconds, lastFrameSeconds } = segment
    const end = waiting[0]?.segment.startSeconds ?? (last ? lastFrameSeconds : startSeconds + segmentSeconds)
    then(() => folder.land(segment, end - startSeconds))
  }

  return {
    take: (segment) => {
      endSeconds = segment.lastFrameSeconds
      const at = startedAtMs + (segment.lastFrameSeconds + segmentSeconds) * 1000 + options.lagMs
      waiting.push({ segment, cancel: clock.after(at - clock.now(), () => landNext(false)) })
    },
    close: async (manifest) => {
      while (waiting.length > 0) landNext(waiting.length === 1)
      then(() => folder.end(manifest))
      await copying
    },
    abandon: () => {
      gone = true
      for (const { cancel } of waiting.splice(0)) cancel()
    },
    landed: folder.landed,
    endSeconds: () => endSeconds,
  }
}

/** The directory an egress writes to, and what it has put there. */
function createFolder(options: LandingOptions) {
  const { paths, segmentSeconds, startedAtMs } = options
  const entries: PlaylistEntry[] = []
  const files: string[] = []
  let bytes = 0

  async function writePlaylists(ended: boolean): Promise<void> {
    const form = { targetDuration: segmentSeconds, ended }
    if (ended || isMainPlaylistDue(entries.length, segmentSeconds)) {
      await writeText(paths.playlist, playlistText(entries, { ...form, live: false, sequence: 0 }))
    }
    if (!paths.livePlaylist) return
    const newest = entries.slice(-LIVE_ENTRIES)
    const sequence = entries.length - newest.length
    await writeText(paths.livePlaylist, playlistText(newest, { ...form, live: true, sequence }))
  }

  return {
    landed: () => ({ count: entries.length, bytes }),
    land: async (segment: EncodedSegment, durationSeconds: number): Promise<void> => {
      const programDateTimeMs = startedAtMs + options.programDateTimeOffsetMs + segment.startSeconds * 1000
      const name = segmentName(paths, entries.length, programDateTimeMs)
      const file = path.join(paths.directory, name)
      await mkdir(paths.directory, { recursive: true })
      await copyInPieces(file, segment.bytes, options.isDiskFull())
      bytes += segment.bytes.length
      files.push(file)
      entries.push({ name: path.join(paths.nameInPlaylist, name), programDateTimeMs, durationSeconds })
      await writePlaylists(false)
    },
    end: async (manifest: (segments: string[]) => object): Promise<void> => {
      if (entries.length === 0) return
      await writePlaylists(true)
      if (options.writesManifest) await writeText(paths.manifest, JSON.stringify(manifest(files)))
    },
  }
}

/** Every segment in the first hour, every second one in the second hour and so on, but once a minute at least. */
function isMainPlaylistDue(count: number, segmentSeconds: number): boolean {
  const hour = Math.floor((count * segmentSeconds) / 3600) + 1
  return count % Math.min(hour, Math.max(1, Math.floor(60 / segmentSeconds))) === 0
}

async function copyInPieces(file: string, bytes: Buffer, diskFull: boolean): Promise<void> {
  const handle = await open(file, 'w')
  try {
    const piece = Math.min(PIECE_BYTES, Math.ceil(bytes.length / 2))
    for (let at = 0; at < bytes.length; at += piece) {
      if (diskFull && at > 0) throw new Error(`write ${file}: no space left on device`)
      await handle.write(bytes, at, Math.min(piece, bytes.length - at))
    }
  } finally {
    await handle.close()
  }
}

/** A directory that was deleted meanwhile comes back, as with egress. */
async function writeText(file: string, text: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true })
  await writeFile(file, text)
}
