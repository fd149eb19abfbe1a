import { el, tag } from './dom.js'
import { describe, read, systemName } from './fhir.js'
import { ageText, currentName, dayText, nameText, readingText } from './format.js'

const identifiersShown = 3

/**
 * Who the patient is and who is signed in. The EHR says with `needPatientBanner` whether it shows a banner itself;
 * then only the name is repeated, so that nobody reads this page for another patient.
 */
export function createBanner(bff, seen) {
  const patient = el('div', { class: 'patient' })
  const note = el('p', { class: 'patient-note', role: 'status' })
  const user = el('p', { class: 'user' }, 'Signed in: …')
  patient.append(
    el('h1', { class: 'bone w62' }, el('span', { class: 'unseen' }, 'Patient: loading')),
  )
  let readAt = null
  let state = 'loading'

  async function refresh(signal) {
    state = 'loading'
    try {
      const resource = await read(bff, `Patient/${bff.launch.patient}`, signal)
      if (resource.id !== bff.launch.patient) throw wrongPatient()
      seen([resource])
      readAt = new Date()
      note.replaceChildren()
      patient.replaceChildren(...identity(resource, bff.launch.needPatientBanner !== false))
      state = 'current'
    } catch (error) {
      if (signal.aborted || error.wrongPatient) throw error
      state = readAt ? 'stale' : 'unavailable'
      if (readAt) {
        note.textContent = `Not current. Read at ${readingText(readAt)}; the last refresh failed.`
        return
      }
      patient.replaceChildren(el('h1', {}, 'Patient: not available'))
      note.textContent = `${error.sentence ?? 'The answer could not be read.'} Nothing is shown without the patient’s name. Use Refresh to try again.`
    }
  }

  async function showUser(signal) {
    const { user: who } = bff.launch
    const path = /(?:^|\/)((?:Practitioner|PractitionerRole|RelatedPerson)\/[^/]+)$/.exec(
      who?.fhirUser,
    )
    if (who?.kind === 'patient') {
      const self = who.fhirUser?.endsWith(`Patient/${bff.launch.patient}`)
      // Proxy access: the other patient's record is closed to this launch, and so is the name.
      return user.replaceChildren(
        self ? 'Signed in: the patient' : 'Signed in: another person, for this patient',
      )
    }
    const person = path ? await read(bff, path[1], signal).catch(() => null) : null
    if (person) seen([person])
    const names = [person?.name].flat().filter(Boolean)
    return user.replaceChildren(
      'Signed in: ',
      personName(currentName(names)) ?? 'name not available',
      who?.kind === 'related_person' ? ', for this patient' : '',
    )
  }

  return { patient, note, user, refresh, showUser, state: () => ({ state, readAt }) }
}

function wrongPatient() {
  const error = new Error('The answer was about another patient.')
  error.wrongPatient = true
  return error
}

/** A colleague's name as it is spoken: prefix, given, family. */
function personName(name) {
  if (!name) return null
  const parts = [...(name.prefix ?? []), ...(name.given ?? []), name.family].filter(Boolean)
  return parts.length > 0 ? parts.join(' ') : (name.text ?? null)
}

function identity(patient, whole) {
  const heading = el('h1', {}, nameText(currentName(patient.name)) ?? 'Name not recorded')
  const marks = [
    patient.deceasedDateTime
      ? tag(`Died ${dayText(patient.deceasedDateTime)}`, 'dark')
      : patient.deceasedBoolean && tag('Deceased', 'dark'),
    patient.active === false && tag('Record not active', 'doubt'),
    patient.link?.some(({ type }) => type === 'replaced-by') &&
      tag('Replaced by another record', 'doubt'),
  ].filter(Boolean)
  if (!whole) return [heading, ...marks]
  return [
    el('div', { class: 'who' }, heading, ...marks),
    el(
      'dl',
      { class: 'facts' },
      fact('Born', birthText(patient)),
      fact('Sex', patient.gender ? capital(patient.gender) : 'Not recorded'),
      identifiers(patient.identifier ?? []),
    ),
  ]
}

function birthText({ birthDate, deceasedDateTime, deceasedBoolean }) {
  if (!birthDate) return 'Not recorded'
  const age = deceasedDateTime || deceasedBoolean ? null : ageText(birthDate)
  return age ? `${dayText(birthDate)} (${age})` : dayText(birthDate)
}

function identifiers(all) {
  const current = all.filter(({ use, value }) => value && use !== 'old')
  if (current.length === 0) return fact('Identifier', 'Not recorded')
  const rest = current.length - identifiersShown
  const facts = current
    .slice(0, identifiersShown)
    .map((each) => fact(identifierName(each), each.value))
  return rest > 0 ? [...facts, fact('Further', `${rest} in the EHR`)] : facts
}

function identifierName({ type, system }) {
  const code = type?.coding?.[0]?.code
  if (code === 'MR') return 'MRN'
  const label = describe(type).label
  if (label) return label
  return system && systemName(system) !== 'local code' ? systemName(system) : 'Identifier'
}

const fact = (term, value) => el('div', {}, el('dt', {}, term), el('dd', {}, value))
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1)
