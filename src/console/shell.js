import { useEffect, useRef } from 'preact/hooks'
import { BufferView } from './buffer-view.js'
import { ClipView } from './clip-view.js'
import { LibraryView } from './library-view.js'
import { LiveView } from './live-view.js'
import { hrefOf, useRoute } from './route.js'
import { SignIn } from './sign-in.js'
import { useApp, useAppState } from './store.js'
import { strings } from './strings.js'
import { html, Icon, IconButton } from './ui.js'

/**
 * What is around every view: where one can go, who is signed in, whether it is live, and
 * short messages.
 * @param {{ onToken: (token: string) => void, onSignOut: () => void }} props
 */
export function Shell({ onToken, onSignOut }) {
  const { connection, refusal } = useAppState()
  const route = useRoute()
  if (connection === 'refused') return html`<${SignIn} onToken=${onToken} problem=${refusal} />`
  return html`<a class="skip" href="#content" onClick=${skip}>${strings.skip}</a>
    <${TopBar} route=${route} onSignOut=${onSignOut} />
    ${
      connection === 'offline' &&
      html`<p class="banner" role="alert"><span>${strings.connection.offlineBanner}</span></p>`
    }
    <main id="content" tabindex="-1"><${View} route=${route} key=${hrefOf(route)} /></main>
    <${Toasts} />`
}

/** The part of the address is the view's: focus is moved by hand. @param {Event} event */
function skip(event) {
  event.preventDefault()
  document.querySelector('main')?.focus()
}

/** @param {{ route: import('./route.js').Route }} props */
function View({ route }) {
  const isFirst = useRef(!document.activeElement || document.activeElement === document.body)
  useEffect(() => {
    // Who reads with a screen reader is told that the page is another now.
    if (!isFirst.current) document.querySelector('main')?.focus({ preventScroll: true })
    window.scrollTo(0, 0)
  }, [])
  if (route.view === 'session') return html`<${BufferView} id=${route.id} />`
  if (route.view === 'clip') return html`<${ClipView} id=${route.id} />`
  return route.view === 'library' ? html`<${LibraryView} />` : html`<${LiveView} />`
}

/** @param {{ route: import('./route.js').Route, onSignOut: () => void }} props */
function TopBar({ route, onSignOut }) {
  const { claims, connection } = useAppState()
  const isLibrary = route.view === 'library' || route.view === 'clip'
  const who = [claims.name ?? claims.userId, claims.room].filter(Boolean).join(' · ')
  return html`<header class="top-bar">
    <a class="brand" href="#/live"><img src="console/icon.svg" alt="" width="28" height="28" />${strings.name}</a>
    <nav aria-label=${strings.nav.label}>
      <a href="#/live" aria-current=${isLibrary ? undefined : 'page'}><${Icon} name="screen" />${strings.nav.live}</a>
      <a href="#/library" aria-current=${isLibrary ? 'page' : undefined}
        ><${Icon} name="film" />${strings.nav.library}</a
      >
    </nav>
    <span class="connection" data-state=${connection} role="status">${strings.connection[connection]}</span>
    <span class="who" title=${who}>${who}</span>
    <button type="button" class="button button-quiet" onClick=${onSignOut}>${strings.nav.signOut}</button>
  </header>`
}

function Toasts() {
  const { toasts } = useAppState()
  const { hide } = useApp()
  return html`<div class="toasts" role="status" aria-live="polite">
    ${toasts.map(
      ({ id, text, tone, action }) =>
        html`<div class="toast" data-tone=${tone} key=${id}>
          <p>${text}</p>
          ${
            action &&
            html`<button
              type="button"
              class="button button-quiet"
              onClick=${() => {
                hide(id)
                action.run()
              }}
            >
              ${action.label}
            </button>`
          }
          <${IconButton} icon="close" label=${strings.dismiss} onClick=${() => hide(id)} />
        </div>`,
    )}
  </div>`
}
