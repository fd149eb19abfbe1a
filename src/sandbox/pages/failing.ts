import type { LaunchContext } from '../authorization/launches.ts'
import type { Control } from '../control/control.ts'
import type { Answer } from '../http.ts'
import type { SyntheticPatient } from '../patients/generate.ts'
import { appFrame } from './chart.ts'
import { html } from './html.ts'
import type { Frame } from './layout.ts'
import { page } from './layout.ts'

/** Launches that go wrong on the EHR's side, one of each kind: what is the clinician told, and what the staff? */

interface Kind {
  readonly title: string
  readonly what: string
  /** What the EHR has in context; `right` is what it should be. */
  readonly context?: (right: LaunchContext, patient: SyntheticPatient) => LaunchContext
  /** Spoils the address that the EHR opens. */
  readonly spoil?: (launchUrl: URL) => void
}

const kinds: Readonly<Record<string, Kind>> = {
  'no-patient': {
    title: 'No patient',
    what: 'The EHR opens the app outside a chart: no patient comes with the launch.',
    context: ({ user }) => (user === undefined ? {} : { user }),
  },
  'another-user': {
    title: 'Another kind of user',
    what: 'A patient is signed in where a practitioner is expected.',
    context: (right, { id }) => ({ ...right, user: `Patient/${id}` }),
  },
  'used-launch': {
    title: 'A launch that was used before',
    what: 'The page comes out of the browser’s history: the EHR refuses its launch value.',
    spoil: ({ searchParams }) => searchParams.set('launch', 'used-before'),
  },
  'unknown-ehr': {
    title: 'An EHR that nobody configured',
    what: 'The app is opened from an environment that smart-bff does not know, a test system say.',
    spoil: ({ searchParams }) => searchParams.set('iss', 'https://test.ehr.example/fhir/r4'),
  },
}

export function failing(frame: Frame): Answer {
  return page(
    200,
    { ...frame, title: 'Launches that fail' },
    html`<h1>Launches that fail</h1>
      <p>Open one, read what a clinician is told, and look its number up on the staff site.</p>
      <dl class="failing">
        ${Object.entries(kinds).map(
          ([name, { title, what }]) =>
            html`<div>
              <dt><a href="/failing/${name}">${title}</a></dt>
              <dd>${what}</dd>
            </div>`,
        )}
      </dl>`,
  )
}

/** Undefined for a kind that there is not. */
export function failingLaunch(
  frame: Frame,
  name: string,
  open: {
    readonly control: Control
    readonly patient: SyntheticPatient
    /** Whether anything listens at the app's address. */
    readonly up: boolean
    readonly appAddress: string
  },
): Answer | undefined {
  const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined
  if (kind === undefined) return undefined
  const right = { patient: open.patient.id, user: `Practitioner/${frame.user.id}` }
  const context = kind.context?.(right, open.patient) ?? right
  const launch = open.up ? open.control.createLaunch(context) : undefined
  return page(
    200,
    { ...frame, title: kind.title, wide: true },
    html`<div class="patient">
        <h1>${kind.title}</h1>
        <p>${kind.what}</p>
        <a class="close" href="/failing">Back</a>
      </div>
      <div class="workspace full">
        ${appFrame('a launch that fails', launch && spoilt(launch, kind), open.appAddress, frame.here)}
      </div>`,
  )
}

function spoilt<T extends { readonly url: string }>(launch: T, { spoil }: Kind): T {
  const url = new URL(launch.url)
  spoil?.(url)
  return { ...launch, url: url.href }
}
