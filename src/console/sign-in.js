import { useState } from 'preact/hooks'
import { strings } from './strings.js'
import { readClaims } from './token.js'
import { html } from './ui.js'
import { useTitle } from './use-title.js'

const { signIn: say } = strings

/**
 * The door. `problem` is the code with which the token before was refused.
 * @param {{ onToken: (token: string) => void, problem?: string }} props
 */
export function SignIn({ onToken, problem }) {
  useTitle(say.button)
  const [wrong, setWrong] = useState(problem === undefined ? undefined : refusalOf(problem))
  const submit = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault()
    const form = /** @type {HTMLFormElement} */ (event.currentTarget)
    const field = /** @type {HTMLTextAreaElement} */ (form.elements.namedItem('token'))
    const token = field.value.trim()
    if (readClaims(token)) onToken(token)
    else setWrong(say.malformed)
  }
  return html`<main class="door">
    <form onSubmit=${submit}>
      <img src="console/icon.svg" alt="" width="56" height="56" />
      <h1>${say.heading}</h1>
      <p class="lead">${say.lead}</p>
      ${wrong !== undefined && html`<p class="problem" role="alert" id="token-problem">${wrong}</p>`}
      <label for="token">${say.label}</label>
      <textarea
        id="token"
        name="token"
        rows="4"
        required
        spellcheck=${false}
        autocomplete="off"
        autocapitalize="off"
        placeholder="eyJhbGciOi…"
        aria-describedby=${wrong === undefined ? 'token-hint' : 'token-hint token-problem'}
        aria-invalid=${wrong === undefined ? undefined : 'true'}
      ></textarea>
      <p class="hint" id="token-hint">${say.hint}</p>
      <button type="submit" class="button button-main">${say.button}</button>
      <p class="hint">${say.tryDemo}</p>
    </form>
  </main>`
}

/** @param {string} code */
const refusalOf = (code) => (code === 'token_malformed' ? say.malformed : `${say.refused(code)} ${say.again}`)
