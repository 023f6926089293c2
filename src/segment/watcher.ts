import { mkdir, readdir } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { watch } from 'chokidar'
import { isDatabaseAway } from '../db/connect.ts'
import type { Stop } from '../job/stop.ts'
import { errorFields } from '../log.ts'
import { isOurId } from '../own-id.ts'
import { indexSegments, openIndex, type IndexDeps, type IndexMemory } from './index-segments.ts'

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
  /** Forgets a session whose directory is gone. */
  forget(sessionId: string): void
  stop: Stop
}

const SCAN_INTERVAL_MS = 10_000
const POLL_MS = 500

/** Watches the buffer path; back-fills what landed before, or while nobody looked. */
export async function startWatcher(deps: IndexDeps, options: WatcherOptions): Promise<Watcher> {
  await mkdir(deps.bufferPath, { recursive: true })
  const sessions = new Map<string, SessionIndexer>()
  const look = (sessionId: string): Promise<void> => {
    const indexer = sessions.get(sessionId) ?? createIndexer(deps, sessionId)
    sessions.set(sessionId, indexer)
    return indexer.look()
  }
  const scan = async () => {
    const entries = await readdir(deps.bufferPath, { withFileTypes: true })
    const ids = entries.filter((entry) => entry.isDirectory() && isOurId(entry.name)).map((entry) => entry.name)
    await Promise.all(ids.map(look))
    return { sessions: ids.length }
  }

  const files = watch(deps.bufferPath, {
    depth: 1,
    ignored: (path, stats) => stats?.isFile() === true && !path.endsWith('.m3u8'),
    usePolling: options.polling,
    interval: POLL_MS,
  })
  files.on('all', (_, path) => {
    const sessionId = basename(path.endsWith('.m3u8') ? dirname(path) : path)
    if (isOurId(sessionId)) void look(sessionId)
  })
  files.on('error', (error) => deps.log.error('watcher failed, scans go on', errorFields(error)))
  const rescan = () => scan().catch((error: unknown) => deps.log.error('scan failed', errorFields(error)))
  const timer = setInterval(() => void rescan(), options.scanIntervalMs ?? SCAN_INTERVAL_MS)
  await scan()
  return {
    scan,
    forget: (sessionId) => sessions.delete(sessionId),
    async stop() {
      clearInterval(timer)
      await files.close()
      await Promise.all([...sessions.values()].map((indexer) => indexer.settled()))
    },
  }
}

interface SessionIndexer {
  look(): Promise<void>
  settled(): Promise<void>
}

/** One look at a time; one that is asked for meanwhile follows it, however often it is asked for. */
function createIndexer(deps: IndexDeps, sessionId: string): SessionIndexer {
  let memory: IndexMemory | undefined
  let running: Promise<void> | undefined
  let again: Promise<void> | undefined

  const once = async (): Promise<void> => {
    try {
      memory ??= await openIndex(deps, sessionId)
      if (memory) await indexSegments(deps, sessionId, memory)
    } catch (error) {
      // Nothing is lost by it: the next change or scan does this again.
      const level = isDatabaseAway(error) ? 'warn' : 'error'
      deps.log[level]('segments not indexed yet', { sessionId, ...errorFields(error) })
    }
  }
  const start = (): Promise<void> => {
    running = once().finally(() => {
      running = undefined
    })
    return running
  }
  return {
    look() {
      if (!running) return start()
      again ??= running.then(() => {
        again = undefined
        return start()
      })
      return again
    },
    async settled() {
      await (again ?? running)
    },
  }
}
