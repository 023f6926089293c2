import { watch, type FSWatcher } from 'node:fs'
import { mkdir, readdir, stat } from 'node:fs/promises'
import type { Stop } from '../job/stop.ts'
import { isDatabaseAway } from '../db/connect.ts'
import { errorFields } from '../log.ts'
import { isOurId } from '../own-id.ts'
import { bufferPathOf } from './buffer-path.ts'
import { listSessionsById } from './buffer.repo.ts'
import type { IndexDeps } from './index-segments.ts'
import { absent } from './land-segment.ts'
import type { LandingFigures } from './landing-clock.ts'
import { createIndexer, type SessionIndexer } from './session-indexer.ts'

/*
 * The watcher is a hint, the scan is the truth: both end in `indexSegments`. Changes of
 * one session are taken together while it is being indexed; sessions do not wait for
 * each other.
 */

export interface WatcherOptions {
  /** For file systems that tell nothing, such as NFS. */
  polling: boolean
  scanIntervalMs?: number
}

export interface Watcher {
  /** Looks at every session's directory, as after a stop. Resolves when all is indexed. */
  scan(): Promise<{ sessions: number }>
  /** Looks at one session's directory, if it is here. Resolves when all that has landed in it is indexed. */
  look(sessionId: string): Promise<void>
  /** Forgets a session whose directory is gone. */
  forget(sessionId: string): void
  /** How far behind each session landed that has a directory here, and how far its clock drifted. */
  figures(): (LandingFigures & { sessionId: string })[]
  /** What is wrong with it, in words. */
  trouble(): string | undefined
  stop: Stop
}

interface Watched {
  indexer: SessionIndexer
  directory: FSWatcher | undefined
  /** When the live playlist was last written, as polling saw it. */
  seen: number
}

const SCAN_INTERVAL_MS = 10_000
const POLL_MS = 500
/** Several scans failed, or one hangs: a file system that went away. */
const TROUBLE_SECONDS = 45

/** Egress writes it after every segment, when that is whole (contract section 2). */
const HINT = 'live.m3u8'

/** Watches the buffer path; back-fills what landed before, or while nobody looked. */
export async function startWatcher(deps: IndexDeps, options: WatcherOptions): Promise<Watcher> {
  await mkdir(deps.bufferPath, { recursive: true })
  const sessions = new Map<string, Watched>()
  const look = (sessionId: string) => watched(deps, sessions, sessionId).indexer.look()
  const root = options.polling ? undefined : watchRoot(deps, sessions, look)
  let scannedAt = performance.now()
  const scan = async () => {
    const found = await scanAll(deps, sessions, options.polling ? undefined : look)
    scannedAt = performance.now()
    return found
  }
  const rescan = () =>
    scan().catch((error: unknown) => {
      // The next one, some seconds later, makes up for it.
      if (isDatabaseAway(error)) deps.log.warn('scan skipped, the database is away')
      else deps.log.error('scan failed', errorFields(error))
    })
  const timers = [setInterval(() => void rescan(), options.scanIntervalMs ?? SCAN_INTERVAL_MS)]
  if (options.polling) timers.push(startPolling(deps, sessions, look))
  await scan()
  return {
    scan,
    async look(sessionId) {
      const isHere = sessions.has(sessionId) || (await stat(bufferPathOf(deps.bufferPath, sessionId)).catch(absent))
      if (isHere) await look(sessionId)
    },
    forget: (sessionId) => {
      sessions.get(sessionId)?.directory?.close()
      sessions.delete(sessionId)
    },
    figures: () =>
      [...sessions].flatMap(([sessionId, { indexer }]) => {
        const figures = indexer.figures()
        return figures ? [{ sessionId, ...figures }] : []
      }),
    trouble: () => {
      const seconds = Math.round((performance.now() - scannedAt) / 1000)
      return seconds > TROUBLE_SECONDS ? `the buffer path was last looked through ${seconds} s ago` : undefined
    },
    async stop() {
      for (const timer of timers) clearInterval(timer)
      root?.close()
      for (const { directory } of sessions.values()) directory?.close()
      await Promise.all([...sessions.values()].map(({ indexer }) => indexer.settled()))
    },
  }
}

type Look = (sessionId: string) => Promise<void>

function watched(deps: IndexDeps, sessions: Map<string, Watched>, sessionId: string): Watched {
  const known = sessions.get(sessionId)
  if (known) return known
  const entry = { indexer: createIndexer(deps, sessionId), directory: undefined, seen: 0 }
  sessions.set(sessionId, entry)
  return entry
}

/** Directories come and go here. Their first files are written before they are watched: so each is looked at once. */
function watchRoot(deps: IndexDeps, sessions: Map<string, Watched>, look: Look): FSWatcher {
  const root = watch(deps.bufferPath, (_, name) => {
    if (name === null || !isOurId(name)) return
    watchDirectory(deps, watched(deps, sessions, name), name, look)
    void look(name)
  })
  root.on('error', (error) => deps.log.error('watcher failed, scans go on', errorFields(error)))
  return root
}

/** A directory that was deleted and made again is another one. */
function watchDirectory(deps: IndexDeps, entry: Watched, sessionId: string, look: Look): void {
  entry.directory?.close()
  entry.directory = undefined
  try {
    const directory = watch(bufferPathOf(deps.bufferPath, sessionId), (_, name) => {
      if (name === HINT || name === null) void look(sessionId)
    })
    directory.on('error', () => directory.close())
    entry.directory = directory
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return
    deps.log.error('directory not watched, scans go on', { sessionId, ...errorFields(error) })
  }
}

async function scanAll(
  deps: IndexDeps,
  sessions: Map<string, Watched>,
  watchToo: Look | undefined,
): Promise<{ sessions: number }> {
  const names = (await readdir(deps.bufferPath)).filter(isOurId)
  const found = await listSessionsById(deps.db, names)
  await Promise.all(
    found.map(async (session) => {
      if (session.purged_at) return
      const entry = watched(deps, sessions, session.id)
      entry.indexer.learn(session)
      if (watchToo && !entry.directory) watchDirectory(deps, entry, session.id, watchToo)
      await entry.indexer.look()
    }),
  )
  return { sessions: names.length }
}

/** A file system that tells nothing is asked. */
function startPolling(deps: IndexDeps, sessions: Map<string, Watched>, look: Look): NodeJS.Timeout {
  let isBusy = false
  const poll = async () => {
    for (const name of (await readdir(deps.bufferPath)).filter(isOurId)) {
      const written = await stat(bufferPathOf(deps.bufferPath, name, HINT)).catch(absent)
      const entry = watched(deps, sessions, name)
      if (!written || written.mtimeMs === entry.seen) continue
      entry.seen = written.mtimeMs
      void look(name)
    }
  }
  return setInterval(() => {
    if (isBusy) return
    isBusy = true
    void poll()
      .catch((error: unknown) => deps.log.error('polling failed, scans go on', errorFields(error)))
      .finally(() => {
        isBusy = false
      })
  }, POLL_MS)
}
