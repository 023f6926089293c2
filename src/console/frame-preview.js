import { useEffect, useRef, useState } from 'preact/hooks'
import { attachSource } from './media-source.js'
import { html } from './ui.js'

/** How long the second player stays when nobody points any more. */
const STAYS_MS = 8000

/**
 * The frame at an instant, above it: from a second, silent player of the same playlist.
 * Without `at` there is none, with `left` there is still something to say.
 * @param {{ id: string, link: string, isLive: boolean, at: number | undefined, label: string, left?: number }} props
 */
export function FramePreview({ id, link, isLive, at, label, left }) {
  const [isWanted, setIsWanted] = useState(false)
  useEffect(() => {
    if (at !== undefined) setIsWanted(true)
    const timer = at === undefined ? setTimeout(() => setIsWanted(false), STAYS_MS) : undefined
    return () => clearTimeout(timer)
  }, [at === undefined])
  return html`<div
    class="frame-preview"
    aria-hidden="true"
    data-shown=${left !== undefined}
    data-empty=${at === undefined}
    style=${left === undefined ? undefined : { '--at': left }}
  >
    ${isWanted && html`<${Frame} key=${id} link=${link} isLive=${isLive} at=${at} />`}
    <span>${label}</span>
  </div>`
}

/** @param {{ link: string, isLive: boolean, at: number | undefined }} props */
function Frame({ link, isLive, at }) {
  const videoRef = useRef(/** @type {HTMLVideoElement | null} */ (null))
  const latest = useRef({ link, at })
  latest.current = { link, at }
  const go = useRef(() => {})

  useEffect(() => {
    const video = videoRef.current
    if (!video) return undefined
    const source = attachSource(video, {
      link: () => latest.current.link,
      onRefused: () => undefined,
      onProblem: () => undefined,
      onTimes: () => go.current(),
      isPreview: true,
      ...(isLive ? {} : { startSeconds: 0 }),
    })
    // One after the other: whatever was passed while one was found is left out.
    go.current = () => {
      const wanted = latest.current.at
      if (wanted === undefined || video.seeking || video.readyState === 0) return
      const seconds = isLive ? source.secondsOf(wanted) : wanted / 1000
      if (seconds !== undefined && Math.abs(video.currentTime - seconds) > 0.1) video.currentTime = Math.max(0, seconds)
    }
    const onReady = () => go.current()
    for (const name of ['seeked', 'loadedmetadata']) video.addEventListener(name, onReady)
    return () => {
      for (const name of ['seeked', 'loadedmetadata']) video.removeEventListener(name, onReady)
      source.destroy()
    }
  }, [])
  useEffect(() => go.current(), [at])
  return html`<video ref=${videoRef} muted playsinline tabindex="-1"></video>`
}
