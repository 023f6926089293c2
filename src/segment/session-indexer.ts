import { isDatabaseAway } from '../db/connect.ts'
import type { Session } from '../db/schema.ts'
import { errorFields } from '../log.ts'
import { indexSegments, openIndex, type IndexDeps, type IndexMemory } from './index-segments.ts'
import type { LandingFigures } from './landing-clock.ts'

/** One session's looks at its directory. */
export interface SessionIndexer {
  /** Resolves when what is on the disk now is in the index, or was tried to be. */
  look(): Promise<void>
  /** What the session's row says now, as the scan read it. */
  learn(session: Session): void
  figures(): LandingFigures | undefined
  settled(): Promise<void>
}

/** One look at a time; one that is asked for meanwhile follows it, however often it is asked for. */
export function createIndexer(deps: IndexDeps, sessionId: string): SessionIndexer {
  let memory: IndexMemory | undefined
  let running: Promise<void> | undefined
  let again: Promise<void> | undefined

  const once = async (): Promise<void> => {
    try {
      memory ??= await openIndex(deps, sessionId)
      if (memory) await indexSegments(deps, memory)
    } catch (error) {
      // Nothing is lost by it: the next change or scan begins anew, with what the database then says.
      memory = undefined
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
    learn(session) {
      if (memory && session.purged_at) memory = undefined
      else if (memory) memory.session = session
    },
    figures: () => memory?.clock?.figures,
    async settled() {
      await (again ?? running)
    },
  }
}
