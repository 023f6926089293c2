import { readdir } from 'node:fs/promises'
import type { Db } from '../db/connect.ts'
import { bufferPathOf } from './buffer-path.ts'
import { absent } from './land-segment.ts'
import type { LandedSet } from './landed-set.ts'
import { parseSequence, type PlaylistEntry } from './playlist.ts'
import { findSegmentEnd } from './segment.repo.ts'

/*
 * An egress that died leaves files that no playlist names: the main one is up to a
 * minute behind (contract section 2), and nobody ends it. One of them may be half a copy.
 */

/** A segment that a playlist names, or one that was found beside them. */
export interface Found extends PlaylistEntry {
  isListed: boolean
}

/** Segments in the directory that have not landed, in order. */
export async function listUnlisted(bufferPath: string, sessionId: string, landed: LandedSet): Promise<number[]> {
  const names = (await readdir(bufferPathOf(bufferPath, sessionId)).catch(absent)) ?? []
  return names
    .map(parseSequence)
    .filter((sequence) => sequence !== undefined)
    .filter((sequence) => !landed.has(sequence))
    .toSorted((a, b) => a - b)
}

/** As a playlist would have named it: where the one before ends. Undefined when that has not landed. */
export async function asEntry(db: Db, sessionId: string, sequence: number, origin: number): Promise<Found | undefined> {
  const startMs = sequence === 0 ? 0 : await findSegmentEnd(db, sessionId, sequence - 1)
  if (startMs === undefined) return undefined
  const fileName = `seg_${String(sequence).padStart(5, '0')}.ts`
  return { sequence, fileName, programDateTime: new Date(origin + startMs), durationMs: 1, isListed: false }
}
