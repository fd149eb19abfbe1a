import type { Answer } from '../http.ts'
import type { Clinician } from '../patients/organization.ts'
import type { Html } from './html.ts'
import { html } from './html.ts'

export interface Frame {
  readonly title: string
  readonly clinicians: readonly Clinician[]
  readonly user: Clinician
  /** Where to return to after choosing another clinician. */
  readonly here: string
  /** Fills the whole width, for charts. */
  readonly wide?: boolean
}

/** A whole EHR page: the header with "Synthetic data" on it, then the content. */
export function page(status: number, frame: Frame, content: Html): Answer {
  const document = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${frame.title} · Sandbox General Hospital · Synthetic data</title>
        <link rel="icon" href="data:," />
        <link rel="stylesheet" href="/_ehr/ehr.css" />
        <script src="/_ehr/ehr.js" defer></script>
      </head>
      <body class="${frame.wide === true ? 'wide' : ''}">
        <a class="skip" href="#content">Skip to the content</a>
        <header class="ehr">
          <a class="hospital" href="/">Sandbox General Hospital</a>
          <strong class="synthetic">Synthetic data</strong>
          ${userForm(frame)}
        </header>
        <main id="content">${content}</main>
      </body>
    </html>`
  return {
    status,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'content-security-policy':
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-src http: https:; frame-ancestors 'none'",
      'referrer-policy': 'no-referrer',
    },
    body: document.html,
  }
}

function userForm({ clinicians, user, here }: Frame): Html {
  return html`<form class="user" method="get" action="/_ehr/user">
    <input type="hidden" name="back" value="${here}" />
    <label for="user">Signed in as</label>
    <select id="user" name="id" data-submit>
      ${clinicians.map(
        ({ id, name, role }) =>
          html`<option value="${id}" ${id === user.id ? html`selected` : ''}>
            ${name}, ${role.toLowerCase()}
          </option>`,
      )}
    </select>
    <button>Change</button>
  </form>`
}
