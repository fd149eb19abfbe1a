import type { Store } from '../fhir/store.ts'
import type { Resource, ResourceOf, ResourceType } from '../fhir/types.ts'
import { date } from './format.ts'
import type { Html } from './html.ts'
import { html } from './html.ts'

/** The EHR's own view of a chart, beside which the app stands: allergies, problems, medications, visits. */
export async function summary(store: Store, patient: string): Promise<Html> {
  const allergies = await recorded(store, patient, 'AllergyIntolerance')
  const problems = await recorded(store, patient, 'Condition')
  const orders = await recorded(store, patient, 'MedicationRequest')
  const visits = await recorded(store, patient, 'Encounter')
  const active = problems.filter((one) => one.clinicalStatus?.coding?.[0]?.code === 'active')
  const current = orders.filter(({ status }) => status === 'active')
  const recent = visits
    .toSorted((a, b) => (b.period?.start ?? '').localeCompare(a.period?.start ?? ''))
    .slice(0, 6)
  return html`${list(
    'Allergies',
    allergies.map((one) => [
      one.code?.text ?? one.code?.coding?.[0]?.display ?? 'Not coded',
      one.reaction?.[0]?.manifestation?.[0]?.text ?? '',
    ]),
  )}
  ${list(
    'Problem list',
    active.map((one) => [
      one.code?.text ?? 'Not coded',
      one.onsetDateTime ? `since ${one.onsetDateTime.slice(0, 4)}` : '',
    ]),
  )}
  ${list(
    'Current medications',
    current.map((one) => [
      one.medicationCodeableConcept?.text ?? one.medicationReference?.display ?? 'Not coded',
      one.dosageInstruction?.[0]?.text ?? '',
    ]),
  )}
  ${list(
    'Visits',
    recent.map((one) => [
      one.type?.[0]?.text ?? 'Visit',
      `${date(one.period?.start)}${one.status === 'in-progress' ? ', open now' : ''}`,
    ]),
  )}`
}

async function recorded<T extends ResourceType>(
  store: Store,
  patient: string,
  resourceType: T,
): Promise<ResourceOf<T>[]> {
  const [chart] = store.repositories(patient)
  const bundle = await chart?.[1].search<Resource>({ resourceType })
  return (bundle?.entry ?? []).flatMap(({ resource }) =>
    resource ? [resource as unknown as ResourceOf<T>] : [],
  )
}

function list(title: string, rows: readonly (readonly [what: string, detail: string])[]): Html {
  const content =
    rows.length === 0
      ? html`<p class="none">Nothing recorded</p>`
      : html`<ul>
          ${rows.map(
            ([what, detail]) =>
              html`<li>
                <span>${what}</span>${detail === '' ? '' : html` <small>${detail}</small>`}
              </li>`,
          )}
        </ul>`
  return html`<section class="card">
    <h2>${title}</h2>
    ${content}
  </section>`
}
