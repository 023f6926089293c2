import { readFile, stat } from 'node:fs/promises'
import { bufferPathOf } from './buffer-path.ts'
import { absent } from './land-segment.ts'
import type { LandedSet } from './landed-set.ts'
import { parsePlaylist, type PlaylistEntry } from './playlist.ts'

const LIVE = 'live.m3u8'
const INDEX = 'index.m3u8'

/** What the playlists name and is not landed yet, in order. */
export interface NewEntries {
  entries: PlaylistEntry[]
  /** Which writing of the index they come from, if it had to be read. */
  indexVersion: string | undefined
}

/**
 * The live playlist's five entries, and those of the index when they do not reach back
 * to what has landed: after a stop, or when hints were lost. An index that was read
 * without finding all (`readVersion`) is not read again before it changes: it is written
 * once a minute only when a session is hours old, and is long then.
 */
export async function readNewEntries(
  bufferPath: string,
  sessionId: string,
  landed: LandedSet,
  readVersion: string | undefined,
): Promise<NewEntries> {
  const live = await readEntries(bufferPath, sessionId, LIVE)
  const first = live[0]?.sequence
  const isLost = first === undefined || first > landed.firstMissing()
  const indexVersion = isLost ? await versionOf(bufferPath, sessionId, INDEX) : undefined
  const index =
    indexVersion === undefined || indexVersion === readVersion ? [] : await readEntries(bufferPath, sessionId, INDEX)
  const fresh = new Map([...index, ...live].map((entry) => [entry.sequence, entry]))
  const entries = [...fresh.values()].filter((entry) => !landed.has(entry.sequence))
  return { entries: entries.toSorted((a, b) => a.sequence - b.sequence), indexVersion }
}

/** PROGRAM-DATE-TIME of a session's first segment, which egress never takes from the index. */
export async function readFirstInstant(bufferPath: string, sessionId: string): Promise<number | undefined> {
  const [first] = await readEntries(bufferPath, sessionId, INDEX)
  return first?.sequence === 0 ? first.programDateTime.getTime() : undefined
}

/** All that a session's playlists name. */
export async function readListed(bufferPath: string, sessionId: string): Promise<Set<string>> {
  const index = await readEntries(bufferPath, sessionId, INDEX)
  const live = await readEntries(bufferPath, sessionId, LIVE)
  return new Set([...index, ...live].map((entry) => entry.fileName))
}

async function readEntries(bufferPath: string, sessionId: string, name: string): Promise<PlaylistEntry[]> {
  const text = await readFile(bufferPathOf(bufferPath, sessionId, name), 'utf8').catch(absent)
  return (text === undefined ? undefined : parsePlaylist(text))?.entries ?? []
}

async function versionOf(bufferPath: string, sessionId: string, name: string): Promise<string | undefined> {
  const found = await stat(bufferPathOf(bufferPath, sessionId, name)).catch(absent)
  return found && `${found.mtimeMs} ${found.size} ${found.ino}`
}
