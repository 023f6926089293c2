import type { Random } from '../src/simulator/random.ts'
import type { Simulator } from '../src/simulator/simulator.ts'

/*
 * People who share their screens, and what they really shared: what LiveKit knows,
 * whatever it told.
 */

export interface Span {
  from: number
  to: number | undefined
}

export interface Sharer {
  room: string
  identity: string
  isPresent: boolean
  track: string | undefined
  spans: Span[]
}

export const SHARE = { width: 320, height: 180, fps: 10 }

/** Whose picture a source id is: the simulator counts them up. */
export type Sources = Map<number, string>

export interface Sharers {
  all: Sharer[]
  sources: Sources
  stop: () => void
}

export interface Pace {
  sharesMs: [number, number]
  pausesMs: [number, number]
}

/** Shares that come and go by chance, until stopped; then everybody leaves. */
export function startSharers(simulator: Simulator, random: Random, count: number, pace: Pace): Sharers {
  const sources: Sources = new Map()
  const all = Array.from({ length: count }, (_, n) => newSharer(`room-${n % 5}`, `user-${n}`))
  const timers = new Set<NodeJS.Timeout>()
  let published = 0
  let stopped = false
  const between = ([least, most]: [number, number]) => least + random() * (most - least)
  const later = (waitMs: number, act: () => void) => {
    const timer = setTimeout(() => {
      timers.delete(timer)
      if (!stopped) act()
    }, waitMs)
    timers.add(timer)
  }
  const share = (sharer: Sharer) => {
    const { room, identity } = sharer
    if (!sharer.isPresent) simulator.join(room, { identity })
    sharer.isPresent = true
    sources.set((published++ % 255) + 1, identity)
    sharer.track = simulator.publishShare(room, identity, SHARE).trackSid
    sharer.spans.push({ from: Date.now(), to: undefined })
  }
  const come = (sharer: Sharer) => {
    share(sharer)
    later(between(pace.sharesMs), () => go(sharer))
  }
  const go = (sharer: Sharer) => {
    const chance = random()
    if (chance < 0.35) unshare(simulator, sharer)
    else if (chance < 0.65) leave(simulator, sharer)
    else if (chance < 0.85) {
      unshare(simulator, sharer)
      return come(sharer)
    } else {
      end(sharer)
      sources.set((published++ % 255) + 1, sharer.identity)
      sharer.track = simulator.rejoin(sharer.room, sharer.identity).trackSids[0]
      sharer.spans.push({ from: Date.now(), to: undefined })
      return later(between(pace.sharesMs), () => go(sharer))
    }
    later(between(pace.pausesMs), () => come(sharer))
  }
  for (const sharer of all) later(between([0, 8000]), () => come(sharer))
  return {
    all,
    sources,
    stop() {
      stopped = true
      for (const timer of timers) clearTimeout(timer)
      for (const sharer of all) if (sharer.isPresent) leave(simulator, sharer)
    },
  }
}

function newSharer(room: string, identity: string): Sharer {
  return { room, identity, isPresent: false, track: undefined, spans: [] }
}

function end(sharer: Sharer): void {
  const last = sharer.spans.at(-1)
  if (last) last.to ??= Date.now()
}

function unshare(simulator: Simulator, sharer: Sharer): void {
  if (sharer.track !== undefined) simulator.unpublish(sharer.room, sharer.identity, sharer.track)
  sharer.track = undefined
  end(sharer)
}

function leave(simulator: Simulator, sharer: Sharer): void {
  simulator.leave(sharer.room, sharer.identity)
  Object.assign(sharer, { isPresent: false, track: undefined })
  end(sharer)
}
