import { el, tag } from './dom.js'
import { codesOf, describe, hasCode, searchAll } from './fhir.js'
import { dayText, quantityText, readDate } from './format.js'
import { createSection } from './section.js'

// Problems, medications and allergies: complete lists, read to their last page.

export function createProblems(bff, seen) {
  return createSection({
    id: 'problems',
    title: 'Problems',
    load: (signal) => list(bff, 'Condition', signal, seen),
    show: ({ resources, complete }) => {
      const shown = resources.filter(
        (each) => !hasCode(each.verificationStatus, 'entered-in-error'),
      )
      const sorted = shown.toSorted(newest((each) => each.onsetDateTime ?? each.recordedDate))
      return [
        sorted.length === 0 ? empty('No problems recorded.') : null,
        sorted.length > 0 && sorted.every(isOver) ? empty('No active problems recorded.') : null,
        items(sorted.filter((each) => !isOver(each)).map((each) => problem(each, sorted))),
        earlier(
          'Resolved or inactive',
          sorted.filter(isOver).map((each) => problem(each, sorted)),
        ),
        incomplete(complete),
      ].filter(Boolean)
    },
  })
}

const isOver = ({ clinicalStatus }) => hasCode(clinicalStatus, 'inactive', 'remission', 'resolved')

/** The same problem, by label, once as present and once as over: the reader has to know of both. */
const contradicts = (condition, all) =>
  all.some((other) => isOver(other) !== isOver(condition) && labelOf(other) === labelOf(condition))
const labelOf = ({ code }) => describe(code).label

function problem(condition, all) {
  const status = codesOf(condition.clinicalStatus)[0]
  const since = dayText(condition.onsetDateTime) ?? condition.onsetString
  const end = dayText(condition.abatementDateTime)
  return item(
    condition.code,
    'Problem without a name',
    [
      status && status !== 'active' ? tag(title(status)) : null,
      condition.severity ? tag(describe(condition.severity).label) : null,
      doubt(condition.verificationStatus),
      contradicts(condition, all)
        ? tag(isOver(condition) ? 'Also recorded as active' : 'Also recorded as over', 'doubt')
        : null,
    ],
    [
      since
        ? `Since ${since}`
        : condition.recordedDate && `Recorded ${dayText(condition.recordedDate)}`,
      end && `Until ${end}`,
    ],
  )
}

export function createMedications(bff, seen) {
  return createSection({
    id: 'medications',
    title: 'Medications',
    load: (signal) => list(bff, 'MedicationRequest', signal, seen),
    show: ({ resources, complete }) => {
      const shown = resources.filter((each) => each.status !== 'entered-in-error')
      const sorted = shown.toSorted(newest((each) => each.authoredOn)).toSorted(forbiddenFirst)
      return [
        sorted.length === 0 ? empty('No medications recorded.') : null,
        sorted.length > 0 && !sorted.some(isCurrent)
          ? empty('No active medications recorded.')
          : null,
        items(sorted.filter(isCurrent).map(medication)),
        earlier(
          'Stopped, completed or other',
          sorted.filter((each) => !isCurrent(each)).map(medication),
        ),
        incomplete(complete),
      ].filter(Boolean)
    },
  })
}

const isCurrent = ({ status }) => status === 'active' || status === 'on-hold' || !status
/** What must not be given stands first. */
const forbiddenFirst = (a, b) => Boolean(b.doNotPerform) - Boolean(a.doNotPerform)

function medication(request) {
  const { status, intent, medicationReference: reference } = request
  const inside = request.contained?.find(({ id }) => reference?.reference === `#${id}`)
  const concept = request.medicationCodeableConcept ??
    inside?.code ?? { text: reference?.display ?? undefined }
  return item(
    concept,
    'Medication without a name',
    [
      request.doNotPerform ? tag('Do not give', 'alert') : null,
      status && status !== 'active' ? tag(title(status)) : null,
      intent && !intent.includes('order') ? tag(`${title(intent)}, not ordered`) : null,
    ],
    [
      (request.dosageInstruction ?? []).map(dosage).filter(Boolean).join('; ') ||
        (request.doNotPerform ? null : 'Dose not recorded'),
      request.authoredOn && `Ordered ${dayText(request.authoredOn)}`,
    ],
  )
}

function dosage(instruction) {
  if (instruction.text) return instruction.text
  const dose = quantityText(instruction.doseAndRate?.[0]?.doseQuantity)
  const timing = describe(instruction.timing?.code).label
  return [dose, describe(instruction.route).label, timing].filter(Boolean).join(', ')
}

export function createAllergies(bff, seen) {
  return createSection({
    id: 'allergies',
    title: 'Allergies',
    load: (signal) => list(bff, 'AllergyIntolerance', signal, seen),
    show: ({ resources, complete }) => {
      const shown = resources.filter(
        (each) => !hasCode(each.verificationStatus, 'entered-in-error'),
      )
      const present = shown.filter((each) => !isPast(each)).toSorted(riskFirst)
      const none = present.some(saysNone)
      const contradicted = none && present.some((each) => !saysNone(each))
      return [
        shown.length === 0
          ? empty('No allergies recorded.', 'This does not mean that the patient has none.')
          : null,
        shown.length > 0 && present.length === 0
          ? empty('No active allergies recorded.', 'This does not mean that the patient has none.')
          : null,
        contradicted
          ? el(
              'p',
              { class: 'warning' },
              'The record contradicts itself: it says that no allergies are known, and it lists allergies.',
            )
          : null,
        items(present.map(allergy)),
        earlier('Resolved, inactive or refuted', shown.filter(isPast).map(allergy)),
        incomplete(complete),
      ].filter(Boolean)
    },
  })
}

const isPast = (each) =>
  hasCode(each.clinicalStatus, 'inactive', 'resolved') ||
  hasCode(each.verificationStatus, 'refuted')

/** SNOMED CT: no known allergy, no known drug, food or environmental allergy. */
const noneCodes = ['716186003', '409137002', '429625007', '428607008', '428197003']
const saysNone = ({ code }) =>
  hasCode(code, ...noneCodes) || /^no known/i.test(describe(code).label ?? '')
const riskFirst = (a, b) => (b.criticality === 'high') - (a.criticality === 'high')

function allergy(entry) {
  const reactions = (entry.reaction ?? []).map(({ manifestation, severity }) => {
    const names = (manifestation ?? []).map((each) => describe(each).label).filter(Boolean)
    return [names.join(', '), severity && `(${severity})`].filter(Boolean).join(' ')
  })
  return item(
    entry.code,
    'Allergy without a name',
    [
      entry.criticality === 'high' ? tag('High risk', 'alert') : null,
      entry.type === 'intolerance' ? tag('Intolerance') : null,
      ...codesOf(entry.clinicalStatus)
        .slice(0, 1)
        .filter((code) => code !== 'active')
        .map((code) => tag(title(code))),
      doubt(entry.verificationStatus),
    ],
    saysNone(entry)
      ? [entry.recordedDate && `Recorded ${dayText(entry.recordedDate)}`]
      : [
          reactions.filter(Boolean).join('; ') || 'Reaction not recorded',
          entry.recordedDate && `Recorded ${dayText(entry.recordedDate)}`,
        ],
  )
}

// What the three have in common.

async function list(bff, type, signal, seen) {
  const found = await searchAll(
    bff,
    `${type}?patient=${bff.launch.patient}&_count=50`,
    type,
    signal,
  )
  seen(found.resources)
  return found
}

function item(concept, unnamed, tags, facts) {
  const { label, codings, differ } = describe(concept)
  return el(
    'li',
    {},
    el('p', { class: 'name' }, el('span', { class: 'strong' }, label ?? unnamed), ' ', tags),
    el('p', { class: 'soft' }, facts.filter(Boolean).join(' · ')),
    codings.length > 0
      ? el(
          'p',
          { class: 'soft' },
          differ ? [tag('Codes differ', 'doubt'), ' '] : 'Coded as ',
          codings.join(' · '),
        )
      : null,
  )
}

const items = (nodes) => (nodes.length > 0 ? el('ul', { class: 'items' }, nodes) : null)

const earlier = (label, nodes) =>
  nodes.length > 0
    ? el('details', {}, el('summary', {}, `${label} (${nodes.length})`), items(nodes))
    : null

export const empty = (text, more) =>
  el('div', { class: 'empty' }, el('p', {}, text), more ? el('p', { class: 'soft' }, more) : null)

export const incomplete = (complete) =>
  complete
    ? null
    : el('p', { class: 'warning' }, 'This list is not complete. See the rest in the EHR.')

function doubt(status) {
  const code = codesOf(status).find((each) => each !== 'confirmed')
  return code ? tag(title(code), code === 'refuted' ? 'plain' : 'doubt') : null
}

const title = (code) => code.charAt(0).toUpperCase() + code.slice(1).replaceAll('-', ' ')

const newest = (dateOf) => (a, b) =>
  (readDate(dateOf(b))?.date.getTime() ?? 0) - (readDate(dateOf(a))?.date.getTime() ?? 0)
