import { useRef } from 'preact/hooks'
import { strings } from './strings.js'
import { Timeline } from './timeline.js'
import { html, Icon, IconButton } from './ui.js'

const say = strings.player

/**
 * Picture, buttons and time line.
 * @param {{ player: import('./use-player.js').Player, label: string, poster: string, isLive: boolean, time: string, behind?: string | undefined,
 *   timeline: import('./timeline.js').TimelineProps }} props
 */
export function PlayerView({ player, label, poster, isLive, time, behind, timeline }) {
  const frame = useRef(/** @type {HTMLDivElement | null} */ (null))
  const { isPaused, hasStarted, isMuted, isLoading, isAtLive, problem, videoRef } = player
  return html`<div class="player" ref=${frame}>
    <div class="stage" onClick=${player.toggle}>
      <video
        ref=${videoRef}
        poster=${poster}
        aria-label=${label}
        muted
        playsinline
        preload="auto"
        tabindex="-1"
      ></video>
      ${isPaused && !hasStarted && !isLoading && problem === undefined && html`<span class="big-play"><${Icon} name="play" filled /></span>`}
      ${isLoading && problem === undefined && html`<span class="spinner" role="status" aria-label=${say.loading}></span>`}
      ${problem !== undefined && html`<${Problem} problem=${problem} onRetry=${player.retry} />`}
    </div>
    <div class="transport">
      <${IconButton}
        icon=${isPaused ? 'play' : 'pause'}
        filled=${isPaused}
        label=${isPaused ? say.play : say.pause}
        shortcut="K"
        onClick=${player.toggle}
      />
      <${IconButton}
        icon=${isMuted ? 'muted' : 'sound'}
        label=${isMuted ? say.unmute : say.mute}
        onClick=${player.toggleMute}
      />
      <output class="time">${time}${behind !== undefined && html`<small>${behind}</small>`}</output>
      ${
        isLive &&
        html`<button type="button" class="live-button" data-live=${isAtLive} onClick=${player.goLive}>
          ${isAtLive ? say.live : say.goLive}
        </button>`
      }
      <${IconButton} icon="full" label=${say.fullscreen} onClick=${() => void fill(frame.current, videoRef.current)} />
    </div>
    <${Timeline} ...${timeline} />
  </div>`
}

/** @param {{ problem: 'failed' | 'unsupported', onRetry: () => void }} props */
function Problem({ problem, onRetry }) {
  return html`<div
    class="player-problem"
    role="alert"
    onClick=${(/** @type {Event} */ event) => event.stopPropagation()}
  >
    <p>${problem === 'failed' ? say.failed : say.unsupported}</p>
    ${problem === 'failed' && html`<button type="button" class="button" onClick=${onRetry}>${say.retry}</button>`}
  </div>`
}

/** A phone that fills its screen with nothing but a video fills it with that. @param {HTMLElement | null} frame @param {HTMLVideoElement | null} video */
async function fill(frame, video) {
  if (document.fullscreenElement) await document.exitFullscreen()
  else if (frame?.requestFullscreen) await frame.requestFullscreen()
  else
    /** @type {{ webkitEnterFullscreen?: () => void } | null} */ (
      /** @type {unknown} */ (video)
    )?.webkitEnterFullscreen?.()
}
