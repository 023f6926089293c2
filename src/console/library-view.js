import { useEffect, useRef, useState } from 'preact/hooks'
import { ClipActions } from './clip-actions.js'
import { ClipBadge, ClipPoster, whenOf } from './clip-list.js'
import { bytes } from './format.js'
import { Skeleton } from './live-view.js'
import { hrefOf } from './route.js'
import { useApp, useAppState } from './store.js'
import { clipName, strings } from './strings.js'
import { html, Icon, Notice } from './ui.js'
import { useTitle } from './use-title.js'

/** @typedef {import('./store.js').Clip} Clip */

const say = strings.library
const TYPED_MS = 250

/** Everything that one has kept. */
export function LibraryView() {
  useTitle(say.heading)
  const app = useApp()
  const { library, clips, deleting, claims } = useAppState()
  const { state, ids, total, title, nextCursor, userId } = library
  const shown = ids.filter((id) => !deleting.has(id)).flatMap((id) => clips.get(id) ?? [])
  const count = total - ids.filter((id) => deleting.has(id)).length
  const isNobodys = claims.userId === undefined && userId === undefined
  return html`<div class="page">
    <header class="library-head">
      <h1>${say.heading}</h1>
      <span class="hint" role="status">${state === 'ready' ? say.count(count) : ''}</span>
      <${QuotaBar} />
    </header>
    <${Search} />
    ${isNobodys && html`<${Notice} icon="film" title=${say.whoseTitle} text=${say.whoseText} />`}
    ${
      state === 'failed' &&
      html`<${Notice} icon="film" title=${say.failedTitle} text=${strings.errors.offline} tone="bad">
        <button type="button" class="button" onClick=${app.loadLibrary}>${strings.rooms.retry}</button>
      <//>`
    }
    ${
      state === 'loading' &&
      shown.length === 0 &&
      !isNobodys &&
      html`<div class="grid" aria-busy="true">${[1, 2, 3].map(Skeleton)}</div>`
    }
    ${
      state === 'ready' &&
      shown.length === 0 &&
      html`<${Notice}
        icon=${title === '' ? 'film' : 'search'}
        title=${title === '' ? say.emptyTitle : say.nothingTitle}
        text=${title === '' ? say.empty : say.nothing(title)}
      />`
    }
    <ul class="grid">
      ${shown.map((clip) => html`<${ClipCard} key=${clip.id} clip=${clip} />`)}
    </ul>
    ${
      nextCursor !== null &&
      html`<button type="button" class="button more" onClick=${() => app.loadMore().catch(app.complain)}>
        ${say.more}
      </button>`
    }
  </div>`
}

function Search() {
  const app = useApp()
  const { library, claims } = useAppState()
  const [typed, setTyped] = useState({ title: library.title, userId: library.userId ?? '' })
  const isFirst = useRef(true)
  useEffect(() => {
    if (isFirst.current) {
      isFirst.current = false
      return undefined
    }
    const whose = typed.userId.trim()
    const timer = setTimeout(() => void app.search(typed.title.trim(), whose === '' ? undefined : whose), TYPED_MS)
    return () => clearTimeout(timer)
  }, [typed])
  const type = (/** @type {'title' | 'userId'} */ field) => (/** @type {InputEvent} */ event) =>
    setTyped({ ...typed, [field]: /** @type {HTMLInputElement} */ (event.currentTarget).value })
  return html`<search class="search">
    <label class="search-field">
      <${Icon} name="search" /><span class="unseen">${say.search}</span>
      <input type="search" placeholder=${say.search} maxlength="200" value=${typed.title} onInput=${type('title')} />
    </label>
    ${
      claims.isBackend &&
      html`<label class="search-field">
        <span class="unseen">${say.whose}</span>
        <input placeholder=${say.whose} autocomplete="off" value=${typed.userId} onInput=${type('userId')} />
      </label>`
    }
  </search>`
}

function QuotaBar() {
  const { quota } = useAppState()
  if (!quota) return html`<div class="quota"></div>`
  const { usedBytes, limitBytes } = quota
  const text = say.quota(usedBytes, limitBytes)
  return html`<div class="quota">
    <div
      class="meter"
      role="meter"
      aria-label=${say.quotaLabel}
      aria-valuemin="0"
      aria-valuemax=${limitBytes}
      aria-valuenow=${Math.min(usedBytes, limitBytes)}
      aria-valuetext=${text}
      data-tone=${usedBytes > limitBytes * 0.9 ? 'warn' : 'good'}
    >
      <i style=${{ width: `${Math.min(100, (usedBytes / Math.max(1, limitBytes)) * 100)}%` }}></i>
    </div>
    <span>${text}</span>
  </div>`
}

/** @param {{ clip: Clip }} props */
function ClipCard({ clip }) {
  return html`<li class="card">
    <a class="card-link" href=${hrefOf({ view: 'clip', id: clip.id })}>
      <${ClipPoster} clip=${clip} />
      <div class="card-text">
        <h2>${clipName(clip)}</h2>
        <p class="numbers">
          ${whenOf(clip)}
          <span>${clip.room}</span>${clip.sizeBytes !== null && html` <span>${bytes(clip.sizeBytes)}</span>`}
        </p>
        <${ClipBadge} clip=${clip} />
      </div>
    </a>
    <${ClipActions} clip=${clip} isSmall />
  </li>`
}
