import type { Db } from '../db/connect.ts'
import { findMissingMigrations } from '../db/migrate.ts'
import { findOldestWaitingJob } from '../job/queue.repo.ts'
import { within } from '../limit.ts'
import type { DiskState } from '../segment/full-disk.ts'

/*
 * Whether this instance is able to work, part by part. The database and its tables decide:
 * without them no webhook can be taken, and whoever sends one had better ask another
 * instance. Everything else is named and changes nothing: LiveKit being away or the disk
 * being full is so for all instances, and keeping webhooks out would lose what they say.
 */

export const PARTS = ['database', 'migrations', 'disk', 'watcher', 'livekit', 'jobs'] as const
export type Part = (typeof PARTS)[number]

/** `ok`, or what is wrong, in words. */
export type PartStates = Record<Part, string>

export interface Readiness {
  /** Webhooks can be taken. */
  isReady: boolean
  parts: PartStates
  /** Undefined when it cannot be looked at. */
  disk: DiskState | undefined
}

export interface ReadinessDeps {
  db: Db
  node: string
  readDisk: () => Promise<DiskState>
  /** Each answers at once, with what was last known. */
  watcherTrouble: () => string | undefined
  jobsTrouble: () => string | undefined
  livekitState: () => Promise<string>
}

/** Whoever asks has a limit too, of a few seconds; a probe must never hang. */
const LIMIT_MS = 2000

/** A job may wait for another of its session, whose call to LiveKit takes half a minute. */
const LONGEST_WAIT_SECONDS = 300

/** Looks at every part at once. */
export async function readReadiness(deps: ReadinessDeps): Promise<Readiness> {
  const [disk, livekit, { database, migrations, waiting }] = await Promise.all([
    within(LIMIT_MS, deps.readDisk()).catch(() => undefined),
    deps.livekitState(),
    lookAtDatabase(deps),
  ])
  const watcher = deps.watcherTrouble() ?? 'ok'
  const jobs = deps.jobsTrouble() ?? waiting
  const parts = { database, migrations, disk: diskState(disk), watcher, livekit, jobs }
  return { isReady: database === 'ok' && migrations === 'ok', parts, disk }
}

async function lookAtDatabase({ db, node }: ReadinessDeps) {
  const look = async () => {
    const missing = await findMissingMigrations(db)
    return { missing, waiting: missing.length > 0 ? undefined : await findOldestWaitingJob(db, node) }
  }
  try {
    const { missing, waiting } = await within(LIMIT_MS, look())
    return {
      database: 'ok',
      migrations: missing.length === 0 ? 'ok' : `not applied: ${missing.join(', ')}`,
      waiting:
        waiting && waiting.seconds > LONGEST_WAIT_SECONDS
          ? `${waiting.task} waits for ${Math.round(waiting.seconds)} s`
          : 'ok',
    }
  } catch {
    const unknown = 'not known, the database is away'
    return { database: 'it does not answer', migrations: unknown, waiting: unknown }
  }
}

function diskState(disk: DiskState | undefined): string {
  if (!disk) return 'it cannot be looked at'
  if (!disk.isFull) return 'ok'
  const free = Math.min(disk.bufferFreeBytes, disk.storageFreeBytes)
  return `full: ${free} bytes are free, ${disk.minFreeBytes} are kept free`
}
