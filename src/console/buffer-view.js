import { useEffect, useRef, useState } from 'preact/hooks'
import { here } from './api.js'
import { ClipList } from './clip-list.js'
import { clockTime } from './format.js'
import { healthOf, isLive } from './health.js'
import { KeepPanel, Keys } from './keep-panel.js'
import { PlayerView } from './player.js'
import { keptRanges, nearestCovered } from './ranges.js'
import { hrefOf } from './route.js'
import { captureBody, markIn, markOut, rangeOf } from './selection.js'
import { useApp, useAppState } from './store.js'
import { clipName, strings, whoOf } from './strings.js'
import { mayKeep } from './token.js'
import { html, Icon, Notice } from './ui.js'
import { giveBackKeys, playerKeys, useKeys } from './use-keys.js'
import { useNow } from './use-now.js'
import { useTitle } from './use-title.js'
import { usePlayer } from './use-player.js'

/** @typedef {import('./store.js').Session} Session */

const say = strings.buffer

/** One share's buffer: watched, gone back through, and kept of. @param {{ id: string }} props */
export function BufferView({ id }) {
  const { sessions, sessionsState } = useAppState()
  const session = sessions.get(id)
  useTitle(session ? whoOf(session) : say.gone)
  return html`<div class="page page-wide">
    <a class="back" href="#/live"><${Icon} name="back" />${say.back}</a>
    ${!session && sessionsState === 'loading' && html`<div class="card skeleton"><div class="poster"></div></div>`}
    ${!session && sessionsState !== 'loading' && html`<${Notice} icon="screen" title=${say.gone} text=${say.goneText} />`}
    ${session && html`<${Heading} session=${session} />`}
    ${
      session &&
      (session.coverage.coveredTo === null
        ? html`<${Notice} icon="screen" title=${strings.health.nothingYet} text=${strings.rooms.empty} />`
        : html`<${Buffer} session=${session} />`)
    }
  </div>`
}

/** @param {{ session: Session }} props */
function Heading({ session }) {
  const health = healthOf(session, useNow(1000))
  return html`<header class="view-heading">
    <h1>${whoOf(session)}</h1>
    <span class="badge" data-tone=${health.tone}>${health.label}</span>
    <p class="health" data-tone=${health.tone}>
      ${strings.rooms.room(session.room)} · ${strings.health.kept(session.coverage.coveredSeconds * 1000)} ·
      ${' '}${health.detail}
    </p>
  </header>`
}

/** @param {{ session: Session }} props */
function Buffer({ session }) {
  const app = useApp()
  const { claims, clips } = useAppState()
  const now = useNow(500)
  const [selection, setSelection] = useState(
    /** @type {import('./selection.js').Selection} */ ({ kind: 'last', seconds: 30 }),
  )
  const link = here(session.links.playlist)
  const player = usePlayer({ id: session.id, link, isLive: true, renewLink: () => void app.loadSessions() })
  const covered = keptRanges(session.coverage)
  const from = covered[0]?.from ?? now
  const to = covered.at(-1)?.to ?? now
  const whole = { from, to: isLive(session) ? Math.max(to, now) : to }
  const seek = (/** @type {number} */ at) => player.seekTo(nearestCovered(at, covered))
  const mark = {
    in: (/** @type {number | undefined} */ at) => at !== undefined && setSelection(markIn(selection, at, whole)),
    out: (/** @type {number | undefined} */ at) => at !== undefined && setSelection(markOut(selection, at, whole)),
  }
  const [isKeeping, setIsKeeping] = useState(false)
  const hideKept = useRef(() => {})
  useEffect(() => () => hideKept.current(), [])
  const keep = async (/** @type {string} */ title) => {
    if (isKeeping || !mayKeep(claims, session)) return undefined
    setIsKeeping(true)
    const bounds = isLive(session) ? { from, to: app.api.now() } : whole
    const clip = await app.keep(session, captureBody(selection, bounds, isLive(session)), title)
    setIsKeeping(false)
    if (!clip) return undefined
    const open = () => window.location.assign(hrefOf({ view: 'clip', id: clip.id }))
    hideKept.current = app.show(say.kept(clipName(clip)), { action: { label: say.watch, run: open } })
    return clip
  }
  useKeys({
    ...playerKeys(player),
    i: () => mark.in(player.at),
    o: () => mark.out(player.at),
    Home: () => seek(whole.from),
    End: () => (isLive(session) ? player.goLive() : seek(whole.to)),
    Enter: () => document.querySelector('form')?.requestSubmit(),
  })
  const range = rangeOf(selection, whole)
  const canKeep = mayKeep(claims, session)
  const behindMs = whole.to - (player.at ?? whole.to)
  const kept = [...clips.values()].filter(({ sessionId }) => sessionId === session.id)
  return html`<div class="buffer" onClick=${giveBackKeys}>
    <${PlayerView}
      player=${player}
      isLive=${isLive(session)}
      label=${strings.player.label(whoOf(session))}
      poster=${here(session.links.poster)}
      time=${player.at === undefined ? '' : clockTime(player.at)}
      behind=${player.at === undefined || player.isAtLive ? undefined : strings.player.behind(behindMs)}
      timeline=${{
        whole,
        covered,
        at: player.at,
        format: clockTime,
        onSeek: seek,
        preview: { id: session.id, link, isLive: true },
        ...(canKeep ? { marks: { range, onIn: mark.in, onOut: mark.out } } : {}),
      }}
    />
    <aside class="side" aria-label=${say.keepHeading}>
      ${
        canKeep
          ? html`<${KeepPanel}
              selection=${selection}
              range=${range}
              covered=${covered}
              isKeeping=${isKeeping}
              isLive=${isLive(session)}
              onSelect=${setSelection}
              onMarkIn=${() => mark.in(player.at)}
              onMarkOut=${() => mark.out(player.at)}
              onKeep=${keep}
            />`
          : html`<p class="panel hint">${say.notYours(whoOf(session))}</p>`
      }
      <section class="panel">
        <h2>${say.clips}</h2>
        ${kept.length === 0 ? html`<p class="hint">${say.noClips}</p>` : html`<${ClipList} clips=${kept} />`}
      </section>
      <${Keys} />
    </aside>
  </div>`
}
