import { findClip, type ClipWithFile } from '../clip/clip.repo.ts'
import type { Db } from '../db/connect.ts'
import type { Listener } from '../db/listen.ts'

export interface AwaitDeps {
  db: Db
  listener: Listener
  /** Aborted when this instance ends, and will not see the clip ready. */
  ending: AbortSignal
}

/**
 * The clip as soon as it waits no more, or as it is after `waitMs`, or when this instance
 * ends; undefined if it was deleted meanwhile. Woken by whichever instance finishes it.
 */
export async function awaitClip(deps: AwaitDeps, id: string, waitMs: number): Promise<ClipWithFile | undefined> {
  const changed = createSignal()
  const unlisten = deps.listener.on('clip_changed', id, changed.raise)
  const timer = setTimeout(changed.close, waitMs)
  if (deps.ending.aborted) changed.close()
  deps.ending.addEventListener('abort', changed.close)
  try {
    for (;;) {
      const clip = await findClip(deps.db, id)
      if (clip?.status !== 'waiting' || changed.isClosed()) return clip
      await changed.next()
    }
  } finally {
    clearTimeout(timer)
    deps.ending.removeEventListener('abort', changed.close)
    unlisten()
  }
}

/** Remembers that it was raised while nobody waited. */
function createSignal() {
  let raised = false
  let closed = false
  let wake: (() => void) | undefined
  const raise = () => {
    raised = true
    wake?.()
  }
  return {
    raise,
    close: () => {
      closed = true
      raise()
    },
    isClosed: () => closed,
    async next() {
      if (!raised) await new Promise<void>((resolve) => (wake = resolve))
      raised = false
    },
  }
}
