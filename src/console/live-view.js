import { here } from './api.js'
import { CoverageBar } from './coverage-bar.js'
import { healthOf, isLive } from './health.js'
import { keptRanges, toRange } from './ranges.js'
import { hrefOf } from './route.js'
import { useApp, useAppState } from './store.js'
import { strings, whoOf } from './strings.js'
import { html, Notice } from './ui.js'
import { useNow } from './use-now.js'
import { useTitle } from './use-title.js'

/** @typedef {import('./store.js').Session} Session */

const POSTER_EVERY_MS = 10_000

/** The rooms that one may see, and who shares in them. */
export function LiveView() {
  const { loadSessions } = useApp()
  const { sessions, sessionsState } = useAppState()
  useTitle(strings.rooms.heading)
  const now = useNow(1000)
  const shown = [...sessions.values()]
  const rooms = [...new Set(shown.map(({ room }) => room))].toSorted()
  return html`<div class="page">
    <h1>${strings.rooms.heading}</h1>
    ${sessionsState === 'loading' && html`<div class="grid grid-large" aria-busy="true">${[1, 2, 3].map(Skeleton)}</div>`}
    ${
      sessionsState === 'failed' &&
      html`<${Notice} icon="screen" title=${strings.rooms.failedTitle} text=${strings.errors.offline} tone="bad">
        <button type="button" class="button" onClick=${loadSessions}>${strings.rooms.retry}</button>
      <//>`
    }
    ${
      sessionsState === 'ready' &&
      shown.length === 0 &&
      html`<${Notice} icon="screen" title=${strings.rooms.emptyTitle} text=${strings.rooms.empty} />`
    }
    ${rooms.map(
      (room) =>
        html`<section key=${room} aria-label=${strings.rooms.room(room)}>
          <h2 class="room-name">${strings.rooms.room(room)}</h2>
          <ul class="grid grid-large">
            ${shown
              .filter((session) => session.room === room)
              .toSorted(byLiveFirst)
              .map((session) => html`<${ShareCard} key=${session.id} session=${session} now=${now} />`)}
          </ul>
        </section>`,
    )}
  </div>`
}

/** @param {unknown} key */
export const Skeleton = (key) => html`<div class="card skeleton" key=${key}><div class="poster"></div></div>`

const ORDER = ['active', 'starting', 'stopping', 'refused', 'failed', 'ended']

/** @param {Session} a @param {Session} b */
const byLiveFirst = (a, b) =>
  ORDER.indexOf(a.status) - ORDER.indexOf(b.status) || whoOf(a).localeCompare(whoOf(b)) || (a.id < b.id ? 1 : -1)

/** @param {{ session: Session, now: number }} props */
function ShareCard({ session, now }) {
  const { claims } = useAppState()
  const { coverage } = session
  const who = whoOf(session)
  const health = healthOf(session, now)
  const covered = keptRanges(coverage)
  const { coveredFrom, coveredTo } = coverage
  // A new picture now and then: the address says which, so that the old one stays until it is there.
  const poster = `${here(session.links.poster)}&at=${isLive(session) ? Math.floor(now / POSTER_EVERY_MS) : 'end'}`
  return html`<li class="card">
    <a class="card-link" href=${hrefOf({ view: 'session', id: session.id })}>
      <div class="poster">
        ${covered.length > 0 ? html`<img src=${poster} alt="" />` : html`<span>${strings.rooms.noPicture}</span>`}
        <span class="badge" data-tone=${health.tone}>${health.label}</span>
      </div>
      <div class="card-text">
        <h3>${who}${claims.userId === session.userId && html` <small>${strings.rooms.you}</small>`}</h3>
        <p class="numbers">
          ${strings.health.kept(coverage.coveredSeconds * 1000)}
          ${session.startedAt !== null && html`<span>${strings.health.since(Date.parse(session.startedAt))}</span>`}
        </p>
        ${
          coveredFrom !== null &&
          coveredTo !== null &&
          html`<${CoverageBar} whole=${toRange({ from: coveredFrom, to: coveredTo })} covered=${covered} />`
        }
        <p class="health" data-tone=${health.tone}>${health.detail}</p>
      </div>
    </a>
  </li>`
}
