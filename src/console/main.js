import { render } from 'preact'
import { useEffect, useMemo, useState } from 'preact/hooks'
import { startApp } from './actions.js'
import { Shell } from './shell.js'
import { SignIn } from './sign-in.js'
import { AppContext } from './store.js'
import { forgetToken, keepToken, readClaims, takeToken } from './token.js'
import { html } from './ui.js'

/** Somebody signed in, or the door. */
function Page() {
  const [token, setToken] = useState(takeToken)
  const claims = useMemo(() => (token === undefined ? undefined : readClaims(token)), [token])
  useEffect(() => {
    // A link with a token, opened where somebody is signed in already.
    const follow = () => window.location.hash.startsWith('#token=') && setToken(takeToken())
    window.addEventListener('hashchange', follow)
    return () => window.removeEventListener('hashchange', follow)
  }, [])
  const signIn = (/** @type {string} */ given) => {
    keepToken(given)
    setToken(given)
  }
  const signOut = () => {
    forgetToken()
    setToken(undefined)
  }
  if (token === undefined || claims === undefined)
    return html`<${SignIn} onToken=${signIn} problem=${token === undefined ? undefined : 'token_malformed'} />`
  return html`<${SignedIn} key=${token} token=${token} claims=${claims} onToken=${signIn} onSignOut=${signOut} />`
}

/**
 * @param {{ token: string, claims: import('./token.js').Claims, onToken: (token: string) => void,
 *   onSignOut: () => void }} props
 */
function SignedIn({ token, claims, onToken, onSignOut }) {
  const app = useMemo(() => startApp(token, claims), [token])
  useEffect(() => () => app.stop(), [app])
  return html`<${AppContext.Provider} value=${app}>
    <${Shell} onToken=${onToken} onSignOut=${onSignOut} />
  <//>`
}

const root = document.querySelector('#app')
if (root) render(html`<${Page} />`, root)
