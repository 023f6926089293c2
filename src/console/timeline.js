import { useEffect, useRef, useState } from 'preact/hooks'
import { place } from './coverage-bar.js'
import { FramePreview } from './frame-preview.js'
import { clamp } from './ranges.js'
import { strings } from './strings.js'
import { ticksOf } from './ticks.js'
import { html } from './ui.js'

/** @typedef {import('./ranges.js').Range} Range */

/**
 * @typedef {object} Marks
 * @property {Range} range
 * @property {(at: number) => void} onIn
 * @property {(at: number) => void} onOut
 */

/**
 * @typedef {object} TimelineProps
 * @property {Range} whole
 * @property {Range[]} covered
 * @property {number | undefined} at where it plays
 * @property {(at: number) => string} format
 * @property {(at: number) => void} onSeek
 * @property {Marks} [marks]
 * @property {Omit<Parameters<typeof FramePreview>[0], 'at' | 'label'>} preview
 */

const STEP_MS = 1000

/** Time to look at and to move in: what is there, where it plays, what is marked. @param {TimelineProps} props */
export function Timeline({ whole: current, covered, at, format, onSeek, marks, preview }) {
  const track = useRef(/** @type {HTMLDivElement | null} */ (null))
  const [hover, setHover] = useState(/** @type {number | undefined} */ (undefined))
  // While something is dragged, time stands still under it.
  const [drag, setDrag] = useState(/** @type {{ what: 'at' | 'in' | 'out', whole: Range } | undefined} */ (undefined))
  const whole = drag?.whole ?? current
  const width = useWidth(track)

  const timeAt = (/** @type {PointerEvent} */ event) => {
    const box = track.current?.getBoundingClientRect()
    if (!box) return whole.from
    return whole.from + clamp((event.clientX - box.left) / box.width, 0, 1) * (whole.to - whole.from)
  }
  const move = (/** @type {'at' | 'in' | 'out'} */ what, /** @type {number} */ to) => {
    if (what === 'in') marks?.onIn(to)
    else if (what === 'out') marks?.onOut(to)
    else onSeek(to)
  }
  const grab = (/** @type {PointerEvent} */ event) => {
    if (event.button !== 0) return
    const handle = event.target instanceof Element ? event.target.closest('[data-mark]') : null
    const what = /** @type {'in' | 'out' | undefined} */ (handle?.getAttribute('data-mark')) ?? 'at'
    track.current?.setPointerCapture(event.pointerId)
    setDrag({ what, whole: current })
    if (what === 'at') move('at', timeAt(event))
  }
  const follow = (/** @type {PointerEvent} */ event) => {
    const time = timeAt(event)
    setHover(time)
    if (drag) move(drag.what, time)
  }
  const release = (/** @type {PointerEvent} */ event) => {
    setDrag(undefined)
    if (event.pointerType !== 'mouse') setHover(undefined)
  }
  const isThere = hover !== undefined && covered.some(({ from, to }) => hover >= from && hover < to)
  const line = (/** @type {number} */ time) => ({ left: place({ from: time, to: time }, whole).left })

  return html`<div class="timeline">
    <${FramePreview}
      ...${preview}
      at=${isThere ? hover : undefined}
      label=${labelOf(hover, isThere, format)}
      left=${hover === undefined ? undefined : (hover - whole.from) / Math.max(1, whole.to - whole.from)}
    />
    <div
      class="timeline-track"
      ref=${track}
      onPointerDown=${grab}
      onPointerMove=${follow}
      onPointerUp=${release}
      onPointerCancel=${release}
      onPointerLeave=${() => !drag && setHover(undefined)}
    >
      ${covered.map((range) => html`<i class="covered" key=${range.from} style=${place(range, whole)}></i>`)}
      ${marks && html`<i class="selection" style=${place(marks.range, whole)}></i>`}
      ${hover !== undefined && html`<i class="hover-line" style=${line(hover)}></i>`}
      ${
        at !== undefined &&
        html`<${Slider} name="playhead" label=${strings.player.position} at=${at} whole=${whole} format=${format} />`
      }
      ${
        marks &&
        [
          { name: 'in', label: strings.buffer.markIn, at: marks.range.from, onMove: marks.onIn },
          { name: 'out', label: strings.buffer.markOut, at: marks.range.to, onMove: marks.onOut },
        ].map((mark) => html`<${Slider} ...${mark} key=${mark.name} whole=${whole} format=${format} />`)
      }
    </div>
    <div class="ticks" aria-hidden="true">
      ${ticksOf(whole, width).map((tick) => html`<span key=${tick} style=${line(tick)}>${format(tick)}</span>`)}
    </div>
  </div>`
}

/** @param {number | undefined} hover @param {boolean} isThere @param {(at: number) => string} format */
function labelOf(hover, isThere, format) {
  if (hover === undefined) return ''
  return isThere ? format(hover) : strings.player.notRecorded(format(hover))
}

/**
 * A handle. The playhead's keys are the whole view's.
 * @param {{ name: string, label: string, at: number, whole: Range, format: (at: number) => string,
 *   onMove?: (at: number) => void }} props
 */
function Slider({ name, label, at, whole, format, onMove }) {
  const shown = clamp(at, whole.from, whole.to)
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    const direction = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key]
    if (direction === undefined || event.ctrlKey || event.metaKey || event.altKey) return
    event.preventDefault()
    event.stopPropagation()
    onMove?.(at + direction * STEP_MS * (event.shiftKey ? 5 : 1))
  }
  const second = (/** @type {number} */ time) => Math.round((time - whole.from) / 1000)
  return html`<div
    class="handle handle-${name}"
    data-mark=${name === 'playhead' ? undefined : name}
    role="slider"
    tabindex="0"
    aria-label=${label}
    aria-valuemin="0"
    aria-valuemax=${second(whole.to)}
    aria-valuenow=${second(shown)}
    aria-valuetext=${format(shown)}
    style=${{ left: place({ from: shown, to: shown }, whole).left }}
    onKeyDown=${onMove && onKeyDown}
  ></div>`
}

/** @param {{ current: HTMLElement | null }} element */
function useWidth(element) {
  const [width, setWidth] = useState(600)
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => entry && setWidth(entry.contentRect.width))
    if (element.current) observer.observe(element.current)
    return () => observer.disconnect()
  }, [])
  return width
}
