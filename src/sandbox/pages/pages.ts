import { readFileSync } from 'node:fs'
import type { Control } from '../control/control.ts'
import type { Store } from '../fhir/store.ts'
import type { Answer, Request } from '../http.ts'
import type { SyntheticPatient } from '../patients/generate.ts'
import type { Clinician } from '../patients/organization.ts'
import type { View } from './chart.ts'
import { chart, charts } from './chart.ts'
import { failing, failingLaunch } from './failing.ts'
import { html } from './html.ts'
import type { Frame } from './layout.ts'
import { page } from './layout.ts'
import { patientList } from './patient-list.ts'
import { reachable } from './reachable.ts'
import { summary } from './summary.ts'

export interface PagesDeps {
  readonly origin: string
  readonly control: Control
  readonly store: Store
  readonly patients: readonly SyntheticPatient[]
  readonly clinicians: readonly Clinician[]
  readonly launchUrl: string
}

const files: Readonly<Record<string, readonly [file: string, type: string]>> = {
  '/_ehr/ehr.css': ['ehr.css', 'text/css; charset=utf-8'],
  '/_ehr/ehr.js': ['ehr.js', 'text/javascript; charset=utf-8'],
}

const maxChartsAtOnce = 12

/**
 * The EHR that a clinician sees: patient list, charts, and the app in them. Under another name for the same address the
 * app's frame would stay empty: its `frame-ancestors` allow this origin alone.
 */
export async function pages(deps: PagesDeps, request: Request): Promise<Answer> {
  const { pathname, search, searchParams } = request.url
  if (request.headers.host !== new URL(deps.origin).host) {
    return redirect(`${deps.origin}${pathname}${search}`)
  }
  const file = files[pathname]
  if (file !== undefined) return served(file)
  if (pathname === '/_ehr/user') return changeUser(searchParams)
  const frame = frameOf(deps, request, pathname + search)
  if (pathname === '/') {
    return patientList({ ...frame, title: 'Patients' }, deps.patients, searchParams.get('q') ?? '')
  }
  if (pathname === '/charts') return severalCharts(deps, frame, searchParams.getAll('patient'))
  if (pathname === '/chart') return redirect(`/chart/${searchParams.get('patient') ?? ''}`)
  if (pathname === '/failing') return failing(frame)
  const kind = /^\/failing\/([a-z-]+)$/.exec(pathname)?.[1]
  if (kind !== undefined) return openFailing(deps, frame, kind)
  const id = /^\/chart\/([A-Za-z0-9.-]+)$/.exec(pathname)?.[1]
  const patient = deps.patients.find((one) => one.id === id)
  return patient === undefined ? missing(frame) : openChart(deps, frame, patient, searchParams)
}

async function openChart(
  deps: PagesDeps,
  frame: Frame,
  patient: SyntheticPatient,
  query: URLSearchParams,
): Promise<Answer> {
  const view: View = query.get('view') === 'full' ? 'full' : 'sidebar'
  return chart(
    { ...frame, title: patient.name },
    {
      patient,
      view,
      others: deps.patients.filter(({ id }) => id !== patient.id),
      summary: view === 'sidebar' ? await summary(deps.store, patient.id) : html``,
      launch: (await reachable(deps.launchUrl)) ? launchOf(deps, frame, patient) : undefined,
      appAddress: new URL(deps.launchUrl).origin,
    },
  )
}

async function severalCharts(
  deps: PagesDeps,
  frame: Frame,
  ids: readonly string[],
): Promise<Answer> {
  const up = await reachable(deps.launchUrl)
  const open = ids.slice(0, maxChartsAtOnce).flatMap((id) => {
    const patient = deps.patients.find((one) => one.id === id)
    if (patient === undefined) return []
    return [{ patient, launch: up ? launchOf(deps, frame, patient) : undefined }]
  })
  return charts({ ...frame, title: 'Open charts' }, open, new URL(deps.launchUrl).origin)
}

async function openFailing(deps: PagesDeps, frame: Frame, kind: string): Promise<Answer> {
  const { control, launchUrl } = deps
  const [patient] = deps.patients
  if (patient === undefined) return missing(frame)
  const up = await reachable(launchUrl)
  const appAddress = new URL(launchUrl).origin
  return failingLaunch(frame, kind, { control, patient, up, appAddress }) ?? missing(frame)
}

const launchOf = ({ control }: PagesDeps, frame: Frame, patient: SyntheticPatient) =>
  control.createLaunch({
    patient: patient.id,
    user: `Practitioner/${frame.user.id}`,
    // The EHR's own header shows the patient, yet a framed app may be looked at alone.
    needPatientBanner: true,
    ...(patient.encounter === undefined ? {} : { encounter: patient.encounter }),
  })

function frameOf({ clinicians }: PagesDeps, request: Request, here: string): Frame {
  const chosen = /(?:^|;\s*)sandbox_user=([A-Za-z0-9]+)/.exec(request.headers.cookie ?? '')?.[1]
  const user = clinicians.find(({ id }) => id === chosen) ?? clinicians[0]
  if (user === undefined) throw new Error('the sandbox has no clinician')
  return { title: '', clinicians, user, here }
}

function changeUser(query: URLSearchParams): Answer {
  const back = query.get('back') ?? '/'
  const id = (query.get('id') ?? '').replace(/[^A-Za-z0-9]/g, '')
  const answer = redirect(/^\/(?![/\\])/.test(back) ? back : '/')
  const cookie = `sandbox_user=${id}; Path=/; HttpOnly; SameSite=Lax`
  return { ...answer, headers: { ...answer.headers, 'set-cookie': cookie } }
}

const redirect = (location: string): Answer => ({
  status: 303,
  headers: { location, 'cache-control': 'no-store' },
  body: '',
})

function served([file, type]: readonly [string, string]): Answer {
  const body = readFileSync(new URL(`./${file}`, import.meta.url))
  return { status: 200, headers: { 'content-type': type, 'cache-control': 'no-cache' }, body }
}

const missing = (frame: Frame): Answer =>
  page(
    404,
    { ...frame, title: 'Not found' },
    html`<h1>There is no such page</h1>
      <p>The <a href="/">patient list</a> is a good place to begin.</p>`,
  )
