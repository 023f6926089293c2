import { clamp } from './ranges.js'

/*
 * What is to be kept: the last seconds before the press, or a range marked by hand, whose
 * end may be the press too. Pure.
 */

/**
 * @typedef {{ kind: 'last', seconds: number }
 *   | { kind: 'marked', from: number, to: number | undefined }} Selection `to` undefined: up to the press
 */

/** @typedef {import('./ranges.js').Range} Range */

/** Shorter than this nobody means. */
export const SHORTEST_MS = 500

export const PRESETS = [30, 60, 120, 300, 600]

/**
 * @param {Selection} selection
 * @param {Range} bounds what can be chosen from; its end is now
 * @returns {Range}
 */
export function rangeOf(selection, bounds) {
  if (selection.kind === 'last')
    return { from: Math.max(bounds.from, bounds.to - selection.seconds * 1000), to: bounds.to }
  return { from: clamp(selection.from, bounds.from, bounds.to), to: Math.min(selection.to ?? bounds.to, bounds.to) }
}

/**
 * The in mark; an out mark that it passes goes to the end.
 * @param {Selection} selection
 * @param {number} at
 * @param {Range} bounds
 * @returns {Selection}
 */
export function markIn(selection, at, bounds) {
  const from = clamp(at, bounds.from, bounds.to - SHORTEST_MS)
  const to = selection.kind === 'marked' ? selection.to : undefined
  return { kind: 'marked', from, to: to !== undefined && to - from < SHORTEST_MS ? undefined : to }
}

/**
 * The out mark; an in mark that it passes goes to the beginning.
 * @param {Selection} selection
 * @param {number} at
 * @param {Range} bounds
 * @returns {Selection}
 */
export function markOut(selection, at, bounds) {
  const to = clamp(at, bounds.from + SHORTEST_MS, bounds.to)
  const { from } = rangeOf(selection, bounds)
  return { kind: 'marked', from: to - from < SHORTEST_MS ? bounds.from : from, to }
}

/**
 * As the API takes it, of what there is to choose from. What is the last of a share that
 * ended was not before the press, but before its end.
 * @param {Selection} selection
 * @param {Range} bounds
 * @param {boolean} isLive
 */
export function captureBody(selection, bounds, isLive) {
  if (selection.kind === 'last' && isLive) return { lastSeconds: selection.seconds }
  const { from, to } = rangeOf(selection, bounds)
  return { from: new Date(from).toISOString(), to: new Date(to).toISOString() }
}
