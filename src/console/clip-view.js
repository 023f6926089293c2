import { useEffect, useState } from 'preact/hooks'
import { ApiError, here } from './api.js'
import { ClipActions } from './clip-actions.js'
import { ClipBadge, whenOf } from './clip-list.js'
import { askedRange, shownRanges } from './clip-status.js'
import { CoverageBar } from './coverage-bar.js'
import { bytes, length } from './format.js'
import { PlayerView } from './player.js'
import { hrefOf } from './route.js'
import { useApp, useAppState } from './store.js'
import { clipName, strings } from './strings.js'
import { html, Icon, Notice } from './ui.js'
import { giveBackKeys, playerKeys, useKeys } from './use-keys.js'
import { useTitle } from './use-title.js'
import { usePlayer } from './use-player.js'

/** @typedef {import('./store.js').Clip} Clip */

const say = strings.clip

/** Links are good for an hour. */
const RENEW_MS = 20 * 60_000

/** One clip: played, named, given on. @param {{ id: string }} props */
export function ClipView({ id }) {
  const app = useApp()
  const { clips, deleting, connection } = useAppState()
  const [isGone, setIsGone] = useState(false)
  const clip = clips.get(id)
  useTitle(clip ? clipName(clip) : strings.nav.library)
  // What was not reached may well be there: it is asked for again when the service answers.
  const load = () => app.loadClip(id).catch((error) => setIsGone(error instanceof ApiError && error.status < 500))
  useEffect(() => {
    if (!clip && connection === 'live') void load()
  }, [clip === undefined, connection])
  useEffect(() => {
    const timer = setInterval(load, RENEW_MS)
    return () => clearInterval(timer)
  }, [])
  useEffect(() => {
    if (deleting.has(id)) window.location.assign('#/library')
  }, [deleting.has(id)])
  return html`<div class="page page-wide">
    <a class="back" href="#/library"><${Icon} name="back" />${say.back}</a>
    ${clip && html`<${ClipPage} clip=${clip} renewLink=${load} />`}
    ${!clip && isGone && html`<${Notice} icon="film" title=${say.gone} text=${say.goneText} />`}
    ${!clip && !isGone && html`<div class="card skeleton"><div class="poster"></div></div>`}
  </div>`
}

/** @param {{ clip: Clip, renewLink: () => void }} props */
function ClipPage({ clip, renewLink }) {
  return html`<header class="view-heading">
      <h1>${clipName(clip)}</h1>
      <${ClipBadge} clip=${clip} />
    </header>
    <div class="buffer" onClick=${giveBackKeys}>
      ${
        clip.status === 'failed'
          ? html`<${Notice} icon="film" title=${say.failed} text=${clip.error ?? ''} tone="bad" />`
          : html`<${ClipPlayer} clip=${clip} renewLink=${renewLink} />`
      }
      <aside class="side">
        <section class="panel"><${ClipActions} clip=${clip} /></section>
        <${Coverage} clip=${clip} />
        <${Facts} clip=${clip} />
      </aside>
    </div>`
}

/** @param {{ clip: Clip, renewLink: () => void }} props */
function ClipPlayer({ clip, renewLink }) {
  const link = here(clip.links.playlist)
  const player = usePlayer({ id: clip.id, link, isLive: false, renewLink })
  useKeys({ ...playerKeys(player), Home: () => player.seekTo(0), End: () => player.seekTo(player.durationMs) })
  const wholeMs = clip.status === 'ready' ? clip.durationSeconds * 1000 : Math.max(player.durationMs, 1)
  const whole = { from: 0, to: Math.max(1, wholeMs) }
  return html`<${PlayerView}
    player=${player}
    isLive=${false}
    label=${clipName(clip)}
    poster=${here(clip.links.poster)}
    time=${`${length(player.at ?? 0)} / ${length(wholeMs)}`}
    timeline=${{
      whole,
      covered: [whole],
      at: player.at,
      format: length,
      onSeek: player.seekTo,
      preview: { id: clip.id, link, isLive: false },
    }}
  />`
}

/** @param {{ clip: Clip }} props */
function Coverage({ clip }) {
  const { coverage, status } = clip
  const text = status === 'waiting' ? say.makingText : say.completeText
  return html`<section class="panel">
    <h2>${say.coverage}</h2>
    <${CoverageBar} whole=${askedRange(clip)} covered=${shownRanges(clip)} />
    ${
      status === 'waiting' || coverage.complete
        ? html`<p class="hint">${text}</p>`
        : html`<ul class="gaps">
            ${coverage.gaps.map(
              ({ from, to, reason }) =>
                html`<li key=${from}>${say.gap(Date.parse(from), Date.parse(to), say.reasons[reason])}</li>`,
            )}
          </ul>`
    }
  </section>`
}

/** @param {{ clip: Clip }} props */
function Facts({ clip }) {
  const { sessions } = useAppState()
  const facts = [
    [say.facts.when, whenOf(clip)],
    [say.facts.room, clip.room],
    [say.facts.length, length(clip.durationSeconds * 1000)],
    [say.facts.size, clip.sizeBytes === null ? '–' : bytes(clip.sizeBytes)],
    [say.facts.exact, say.exact(clip.coverage.clockErrorMs)],
    [say.facts.stored, clip.sha256 === null ? say.facts.storing : `sha256 ${clip.sha256.slice(0, 12)}…`],
  ]
  return html`<section class="panel">
    <dl class="facts">
      ${facts.map(
        ([name, value]) =>
          html`<div key=${name}>
            <dt>${name}</dt>
            <dd>${value}</dd>
          </div>`,
      )}
    </dl>
    ${
      sessions.has(clip.sessionId) &&
      html`<a class="button" href=${hrefOf({ view: 'session', id: clip.sessionId })}>${say.openShare}</a>`
    }
  </section>`
}
