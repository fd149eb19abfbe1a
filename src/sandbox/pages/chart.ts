import type { Launch } from '../authorization/launches.ts'
import type { Answer } from '../http.ts'
import type { SyntheticPatient } from '../patients/generate.ts'
import { born, listed, sex } from './format.ts'
import type { Html } from './html.ts'
import { html } from './html.ts'
import type { Frame } from './layout.ts'
import { page } from './layout.ts'

export type View = 'sidebar' | 'full'

/** One open chart: the patient's header, the EHR's own summary, and the app in an iframe beside or instead of it. */
export function chart(
  frame: Frame,
  open: {
    readonly patient: SyntheticPatient
    readonly others: readonly SyntheticPatient[]
    readonly view: View
    readonly summary: Html
    /** Absent when nothing listens at the app's address. */
    readonly launch: Launch | undefined
    readonly appAddress: string
  },
): Answer {
  const { patient, view } = open
  const app = appFrame(listed(patient), open.launch, open.appAddress, frame.here)
  return page(
    200,
    { ...frame, wide: true },
    html`${chartHeader(patient)}
      <nav class="tabs" aria-label="Views of this chart">
        ${tab(patient, 'sidebar', 'Summary with app', view)}
        ${tab(patient, 'full', 'App, full width', view)}
        <a class="reload" href="${frame.here}">Open the app again</a>
        ${switchForm(open.others)}
      </nav>
      <div class="workspace ${view}">
        ${view === 'sidebar' ? html`<div class="summary" role="region" aria-label="Summary" tabindex="0">${open.summary}</div>` : ''}
        ${app}
      </div>`,
  )
}

function tab(patient: SyntheticPatient, view: View, label: string, current: View): Html {
  const here = view === current ? html` aria-current="page"` : ''
  return html`<a href="/chart/${patient.id}?view=${view}" ${here}>${label}</a>`
}

function chartHeader(patient: SyntheticPatient): Html {
  return html`<div class="patient">
    <h1>${listed(patient)}</h1>
    ${facts(patient)}
    <a class="close" href="/">Close chart</a>
  </div>`
}

function switchForm(others: readonly SyntheticPatient[]): Html {
  return html`<form class="switch" method="get" action="/chart">
    <label for="other">Another chart</label>
    <select id="other" name="patient">
      ${others.map((other) => html`<option value="${other.id}">${listed(other)}</option>`)}
    </select>
    <button>Open</button>
  </form>`
}

function facts(patient: SyntheticPatient): Html {
  return html`<dl>
    <div>
      <dt>Born</dt>
      <dd>${born(patient)}</dd>
    </div>
    <div>
      <dt>Sex</dt>
      <dd>${sex(patient)}</dd>
    </div>
    <div>
      <dt>Record number</dt>
      <dd class="number">${patient.mrn}</dd>
    </div>
  </dl>`
}

/** Several charts at once, each with an app of its own: what a clinician with many windows has. */
export function charts(
  frame: Frame,
  open: readonly { patient: SyntheticPatient; launch: Launch | undefined }[],
  appAddress: string,
): Answer {
  const body =
    open.length === 0
      ? html`<h1>No chart is open</h1>
          <p>Choose one or more patients in the <a href="/">patient list</a>.</p>`
      : html`<div class="patient">
            <h1>${open.length} open charts</h1>
            <a class="close" href="/">Close all charts</a>
          </div>
          <div class="grid">
            ${open.map(
              ({ patient, launch }) =>
                html`<section class="tile" aria-label="Chart of ${listed(patient)}">
                  <h2>
                    <a href="/chart/${patient.id}">${listed(patient)}</a>
                    <small>${born(patient)}</small>
                  </h2>
                  ${appFrame(listed(patient), launch, appAddress, frame.here)}
                </section>`,
            )}
          </div>`
  return page(200, { ...frame, wide: open.length > 0 }, body)
}

/** The app, or that nothing answers where it should be. */
export function appFrame(
  what: string,
  launch: Launch | undefined,
  appAddress: string,
  here: string,
): Html {
  if (launch === undefined) {
    return html`<div class="unreachable" role="alert">
      <h2>The app does not answer</h2>
      <p>Nothing listens at <code>${appAddress}</code>. Start smart-bff, then try again.</p>
      <p>The rest of the chart works without it.</p>
      <a class="button" href="${here}">Try again</a>
    </div>`
  }
  return html`<iframe class="app" title="App for ${what}" src="${launch.url}" data-app></iframe>`
}
