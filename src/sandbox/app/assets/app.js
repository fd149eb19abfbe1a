// oxlint-disable-next-line import/no-absolute-path -- the helper's address on every smart-bff
import { connect } from '/smart-bff.js'
import { createBanner } from './banner.js'
import { el } from './dom.js'
import { isSynthetic } from './fhir.js'
import { createAllergies, createMedications, createProblems } from './lists.js'
import { createResults } from './results.js'
import { createStatus } from './status.js'
import { createVitals } from './vitals.js'

// The page: connect, lay out, refresh. Everything of the patient is taken out of the document when the launch is over.

async function start() {
  document.body.replaceChildren(message('Opening the chart…', []))
  try {
    const bff = await connect()
    if (bff.launch.patient) open(bff)
    else close({ sentence: 'No patient is open.', next: 'Open a patient’s chart first.' })
  } catch (error) {
    if (error.over || error.state !== 'data_unavailable') close(error)
    else document.body.replaceChildren(message(error.sentence, [retryButton(start)]))
  }
}

function open(connected) {
  const stop = new AbortController()
  const over = (error) => {
    if (stop.signal.aborted) return
    stop.abort()
    close(error)
  }
  const bff = { ...connected, fhir: endingWith(over, connected.fhir) }
  const synthetic = el('span', { class: 'tag synthetic', hidden: true }, 'Synthetic data')
  const seen = (resources) => {
    if (resources.some(isSynthetic)) synthetic.hidden = false
  }
  const banner = createBanner(bff, seen)
  const sections = [
    createAllergies(bff, seen),
    createProblems(bff, seen),
    createMedications(bff, seen),
    createVitals(bff, seen),
    createResults(bff, seen),
  ]
  const parts = [banner, ...sections]
  const cards = el('div', { class: 'cards', hidden: true }, columns(sections))
  const status = createStatus(() => void refreshAll())

  /** Reads everything anew, all at once; each part shows its own answer as it comes. */
  async function refreshAll() {
    status.busy()
    try {
      await Promise.all([showPatient(), ...sections.map((each) => each.refresh(stop.signal))])
      status.show(parts.map((part) => part.state()))
    } catch (error) {
      over(error)
    }
  }

  /** No data without the name it belongs to. */
  async function showPatient() {
    await banner.refresh(stop.signal)
    cards.hidden = banner.state().readAt === null
  }

  document.body.replaceChildren(
    el(
      'header',
      { class: 'top' },
      el(
        'div',
        { class: 'bar' },
        el('p', { class: 'app-name' }, 'Patient overview'),
        synthetic,
        banner.user,
      ),
    ),
    el(
      'div',
      { class: 'identity', role: 'region', 'aria-label': 'Patient' },
      banner.patient,
      banner.note,
    ),
    el('main', {}, status.element, cards),
    el('footer', {}, footer(bff.launch)),
  )
  cards.addEventListener('settled', () => {
    const states = parts.map((part) => part.state())
    if (states.every(({ state }) => state !== 'loading')) status.show(states)
  })
  void refreshAll()
  void banner.showUser(stop.signal)
}

/** Whichever request learns that the launch is over, the whole page ends at once. */
const endingWith = (over, fhir) => async (path, init) => {
  try {
    return await fhir(path, init)
  } catch (error) {
    if (error.over) over(error)
    throw error
  }
}

/** What is known of the patient, and beside it how it developed. */
const columns = (sections) =>
  [sections.slice(0, 3), sections.slice(3)].map((some) =>
    el(
      'div',
      { class: 'column' },
      some.map(({ element }) => element),
    ),
  )

const footer = ({ tenant, support }) => [
  el('p', {}, `Read from ${tenant.name}. This app shows the record; it changes nothing.`),
  support ? el('p', {}, support) : null,
]

/** The end of this launch: nothing of the patient stays in the document. */
function close(error) {
  document.body.replaceChildren(
    message(error.wrongPatient ? 'The EHR answered about another patient.' : error.sentence, [
      el('p', {}, error.next ?? 'Open the app again from the patient’s chart.'),
      error.support ? el('p', {}, error.support) : null,
      error.incident ? el('p', { class: 'soft' }, `Incident number ${error.incident}`) : null,
    ]),
  )
}

const message = (title, more) =>
  el(
    'main',
    { class: 'ended' },
    el('div', { role: 'alert' }, el('h1', {}, title ?? 'Something went wrong.'), more),
  )

const retryButton = (action) =>
  el('button', { type: 'button', onclick: () => void action() }, 'Try again')

await start()
