import type { Answer } from '../http.ts'
import type { SyntheticPatient } from '../patients/generate.ts'
import { born, listed, sex } from './format.ts'
import type { Html } from './html.ts'
import { html } from './html.ts'
import type { Frame } from './layout.ts'
import { page } from './layout.ts'

/** The patient list: searchable, and several rows may be chosen to open their charts beside each other. */
export function patientList(
  frame: Frame,
  patients: readonly SyntheticPatient[],
  query: string,
): Answer {
  const found = patients
    .filter((patient) => matches(patient, query))
    .toSorted((a, b) => listed(a).localeCompare(listed(b)))
  return page(
    200,
    frame,
    html`<h1>Patients</h1>
      <form class="search" method="get" action="/" role="search">
        <label for="q">Search by name, birth date or record number</label>
        <div>
          <input id="q" name="q" type="search" value="${query}" autocomplete="off" data-filter />
          <button>Search</button>
        </div>
      </form>
      <form method="get" action="/charts">
        <div class="table">
          <table role="table">
            <caption data-count>
              ${found.length} of ${patients.length} synthetic patients
            </caption>
            <thead role="rowgroup">
              <tr role="row">
                <th role="columnheader" scope="col"><span class="hidden">Choose</span></th>
                <th role="columnheader" scope="col">Name</th>
                <th role="columnheader" scope="col">Born</th>
                <th role="columnheader" scope="col">Sex</th>
                <th role="columnheader" scope="col">Record number</th>
                <th role="columnheader" scope="col">Visit</th>
              </tr>
            </thead>
            <tbody role="rowgroup">
              ${found.map(row)}
            </tbody>
          </table>
          <p class="none" data-none ${found.length === 0 ? '' : html`hidden`}>
            No patient matches this search.
          </p>
        </div>
        <p class="actions"><button>Open chosen charts side by side</button></p>
      </form>
      <p class="aside">
        <a href="/failing">Launches that fail</a>: what a clinician is told then.
      </p>`,
  )
}

function row(patient: SyntheticPatient): Html {
  const name = listed(patient)
  return html`<tr role="row" data-text="${searchable(patient)}">
    <td role="cell">
      <input type="checkbox" name="patient" value="${patient.id}" aria-label="Choose ${name}" />
    </td>
    <th role="rowheader" scope="row">
      <a href="/chart/${patient.id}">${name}</a>${notes(patient)}
    </th>
    <td role="cell">${born(patient)}</td>
    <td role="cell">${sex(patient)}</td>
    <td role="cell" class="number">${patient.mrn}</td>
    <td role="cell">
      ${patient.encounter === undefined ? '' : html`<span class="open">Here now</span>`}
    </td>
  </tr>`
}

const notes = ({ traits }: SyntheticPatient): Html | '' =>
  traits.includes('inactive') ? html` <span class="note">Merged record</span>` : ''

function matches(patient: SyntheticPatient, query: string): boolean {
  const words = folded(query).split(/\s+/).filter(Boolean)
  const text = searchable(patient)
  return words.every((word) => text.includes(word))
}

const searchable = (patient: SyntheticPatient): string =>
  folded(`${patient.name} ${patient.birthDate ?? ''} ${born(patient)} ${patient.mrn}`)

const folded = (text: string): string =>
  text
    .normalize('NFD')
    .replace(/\p{Diacritic}/gu, '')
    .toLowerCase()
