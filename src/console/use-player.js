import { useEffect, useMemo, useReducer, useRef } from 'preact/hooks'
import { attachSource } from './media-source.js'
import { clamp } from './ranges.js'

/** @typedef {ReturnType<typeof usePlayer>} Player */

/** Closer to the newest picture than this is live. */
const LIVE_WITHIN_SECONDS = 8
const VIDEO_EVENTS = ['timeupdate', 'play', 'pause', 'seeking', 'seeked', 'waiting', 'playing', 'volumechange', 'ended']

/**
 * A video element that plays a playlist, and what a page needs to know of it. Positions
 * are in ms: of the wall clock for a buffer, of the clip for a clip.
 * @param {object} options
 * @param {string} options.id plays anew when it changes
 * @param {string} options.link
 * @param {boolean} options.isLive
 * @param {() => void} options.renewLink
 */
export function usePlayer({ id, link, isLive, renewLink }) {
  const videoRef = useRef(/** @type {HTMLVideoElement | null} */ (null))
  const source = useRef(/** @type {import('./media-source.js').MediaSource | undefined} */ (undefined))
  const problem = useRef(/** @type {'unsupported' | 'failed' | undefined} */ (undefined))
  const hasStarted = useRef(false)
  const [, redraw] = useReducer((/** @type {number} */ n) => n + 1, 0)
  const latest = useRef({ link, renewLink })
  latest.current = { link, renewLink }

  useEffect(() => {
    const video = videoRef.current
    if (!video) return undefined
    const changed = (/** @type {unknown} */ event) => {
      // Only what played is paused.
      if (event instanceof Event && event.type === 'pause') hasStarted.current = true
      redraw(undefined)
    }
    source.current = attachSource(video, {
      link: () => latest.current.link,
      onRefused: () => latest.current.renewLink(),
      onProblem: (found) => {
        if (found === problem.current) return
        problem.current = found
        redraw(undefined)
      },
      onTimes: () => redraw(undefined),
      ...(isLive ? {} : { startSeconds: 0 }),
    })
    for (const name of VIDEO_EVENTS) video.addEventListener(name, changed)
    video.muted = isLive
    void video.play().catch((error) => {
      // Anything else is somebody who paused it, or went on.
      if (error.name !== 'NotAllowedError') return undefined
      // Where a browser wants a click first it may play without sound, or the button is there for it.
      video.muted = true
      return video.play().catch(changed)
    })
    return () => {
      for (const name of VIDEO_EVENTS) video.removeEventListener(name, changed)
      source.current?.destroy()
      source.current = undefined
    }
  }, [id])

  const commands = useMemo(() => createCommands(videoRef, source, isLive), [id, isLive])
  const video = videoRef.current
  const atSeconds = video?.currentTime ?? 0
  const liveSeconds = source.current?.liveSeconds()
  return {
    videoRef,
    ...commands,
    at: isLive ? source.current?.wallOf(atSeconds) : atSeconds * 1000,
    durationMs: video && Number.isFinite(video.duration) ? video.duration * 1000 : 0,
    /** It has played, and stands still because somebody wanted it to. */
    hasStarted: hasStarted.current,
    isPaused: video?.paused ?? true,
    isMuted: video?.muted ?? true,
    isLoading: video !== null && (video.readyState < 2 || (video.seeking && video.readyState < 3)),
    isAtLive: isLive && liveSeconds !== undefined && atSeconds > liveSeconds - LIVE_WITHIN_SECONDS,
    problem: problem.current,
  }
}

/**
 * @param {{ current: HTMLVideoElement | null }} videoRef
 * @param {{ current: import('./media-source.js').MediaSource | undefined }} source
 * @param {boolean} isLive
 */
function createCommands(videoRef, source, isLive) {
  const seekSeconds = (/** @type {number} */ seconds) => {
    const video = videoRef.current
    if (!video || video.seekable.length === 0) return
    video.currentTime = clamp(seconds, video.seekable.start(0), video.seekable.end(video.seekable.length - 1))
  }
  const play = () => void videoRef.current?.play().catch(() => undefined)
  return {
    toggle: () => {
      if (videoRef.current?.paused) play()
      else videoRef.current?.pause()
    },
    toggleMute: () => {
      if (videoRef.current) videoRef.current.muted = !videoRef.current.muted
    },
    seekTo: (/** @type {number} */ at) => {
      const seconds = isLive ? source.current?.secondsOf(at) : at / 1000
      if (seconds !== undefined) seekSeconds(seconds)
    },
    skip: (/** @type {number} */ seconds) => seekSeconds((videoRef.current?.currentTime ?? 0) + seconds),
    goLive: () => {
      const seconds = source.current?.liveSeconds()
      if (seconds !== undefined) seekSeconds(seconds)
      play()
    },
    retry: () => source.current?.retry(),
  }
}
