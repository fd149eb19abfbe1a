import { el, tag } from './dom.js'
import { codesOf, describe, searchPage } from './fhir.js'
import { quantityText, timeText } from './format.js'
import { empty } from './lists.js'
import { createSection } from './section.js'

const pageSize = 20

/** Laboratory results, newest first, a page at a time through the Bundle's own next links. */
export function createResults(bff, seen) {
  return createSection({
    id: 'results',
    title: 'Laboratory results',
    wide: true,
    async load(signal) {
      const path = `Observation?patient=${bff.launch.patient}&category=laboratory&_sort=-date&_count=${pageSize}`
      const page = await searchPage(bff, path, 'Observation', signal)
      seen(page.resources)
      return { ...page, signal }
    },
    show: ({ signal, ...page }) =>
      page.resources.length === 0 && !page.next
        ? empty('No laboratory results recorded.')
        : pager(bff, page, signal, seen),
  })
}

function pager(bff, first, signal, seen) {
  const rows = [...first.resources]
  let { next, withheld } = first
  const holder = el('div')
  const said = el('p', { class: 'soft', role: 'status' })
  const more = el('button', { type: 'button', onclick: () => void older() }, 'Show older results')

  const show = () => {
    holder.replaceChildren(table(rows.filter(({ status }) => status !== 'entered-in-error')))
    const total = first.total === null ? '' : ` of ${first.total}`
    said.textContent = next
      ? `${rows.length}${total} results shown.`
      : `All ${rows.length} results shown.${withheld ? ' The record holds more than may be shown here.' : ''}`
    more.hidden = !next
  }

  async function older() {
    more.disabled = true
    said.textContent = 'Loading older results.'
    try {
      const page = await searchPage(bff, next, 'Observation', signal)
      seen(page.resources)
      rows.push(...page.resources)
      next = page.next
      withheld ||= page.withheld
      show()
    } catch (error) {
      said.textContent =
        error.status === 410
          ? 'This list is too old to go on. Use Refresh and start again from the newest.'
          : `Older results are not available. ${error.sentence ?? ''}`
    } finally {
      more.disabled = false
    }
  }

  show()
  return [holder, el('div', { class: 'pager' }, said, more)]
}

const dateOf = ({ effectiveDateTime, effectiveInstant, effectivePeriod, issued }) =>
  effectiveDateTime ?? effectiveInstant ?? effectivePeriod?.start ?? issued ?? null

function table(observations) {
  const times = Map.groupBy(observations, (each) => timeText(dateOf(each)) ?? 'No date')
  return el(
    'table',
    { class: 'results' },
    el('caption', { class: 'unseen' }, 'Laboratory results, newest first'),
    el(
      'thead',
      {},
      el(
        'tr',
        {},
        ['Test', 'Result', 'Reference'].map((name) => el('th', { scope: 'col' }, name)),
      ),
    ),
    [...times].map(([time, rows]) =>
      el(
        'tbody',
        {},
        el('tr', { class: 'day' }, el('th', { colspan: 3, scope: 'rowgroup' }, time)),
        rows.map(row),
      ),
    ),
  )
}

function row(observation) {
  const { label, codings, differ } = describe(observation.code)
  const draft = ['final', 'amended', 'corrected'].includes(observation.status)
    ? null
    : (observation.status ?? 'status unknown')
  const parts = observation.component ?? []
  return el(
    'tr',
    {},
    el(
      'th',
      { scope: 'row' },
      label ?? 'Test without a name',
      differ
        ? el('span', { class: 'sub' }, tag('Codes differ', 'doubt'), ` ${codings.join(' · ')}`)
        : null,
    ),
    el(
      'td',
      {},
      valueText(observation) ?? (parts.length > 0 ? null : absent(observation)),
      ' ',
      flag(observation.interpretation),
      draft ? tag(draft, 'doubt') : null,
      parts.map((part) =>
        el(
          'span',
          { class: 'sub' },
          `${describe(part.code).label ?? 'Part'}: ${valueText(part) ?? absent(part)}`,
        ),
      ),
    ),
    el('td', { class: 'soft' }, rangeText(observation.referenceRange) ?? '–'),
  )
}

/** value[x] as it was recorded. */
function valueText(from) {
  if (from.valueQuantity) return quantityText(from.valueQuantity)
  if (from.valueCodeableConcept) return describe(from.valueCodeableConcept).label
  if (from.valueRange) return rangeOf(from.valueRange)
  if (from.valueRatio) {
    const { numerator, denominator } = from.valueRatio
    return `${quantityText(numerator) ?? '?'} : ${quantityText(denominator) ?? '?'}`
  }
  if (from.valueBoolean !== undefined) return from.valueBoolean ? 'Yes' : 'No'
  const plain = from.valueString ?? from.valueInteger ?? from.valueTime
  return plain === undefined
    ? timeText(from.valueDateTime ?? from.valuePeriod?.start)
    : String(plain)
}

function absent({ dataAbsentReason, hasMember }) {
  if (hasMember?.length) return 'Panel, see its tests'
  const reason = describe(dataAbsentReason).label
  return reason ? `No value: ${reason.toLowerCase()}` : 'No value'
}

/** May break before the unit, never at the dash. */
function rangeOf({ low, high }) {
  const [from, to] = [breakable(low), breakable(high)]
  if (from && to) return `${low.value}–\u2060${to}`
  if (from) return `≥ ${from}`
  return to ? `≤ ${to}` : null
}
const breakable = (quantity) => quantityText(quantity)?.replace('\u00a0', ' ') ?? null
const rangeText = (ranges) =>
  ranges
    ?.map((each) => each.text ?? rangeOf(each))
    .filter(Boolean)
    .join('; ') || null

/** HL7 v3 ObservationInterpretation, the codes that laboratories use. */
const interpretations = {
  H: ['High ▲', 'raised'],
  HU: ['Very high ▲', 'alert'],
  HH: ['Critically high ▲', 'alert'],
  L: ['Low ▼', 'raised'],
  LU: ['Very low ▼', 'alert'],
  LL: ['Critically low ▼', 'alert'],
  A: ['Abnormal', 'raised'],
  AA: ['Critically abnormal', 'alert'],
  POS: ['Positive', 'raised'],
  DET: ['Detected', 'raised'],
}

function flag(concepts = []) {
  return concepts.map((concept) => {
    const code = codesOf(concept)[0]
    if (code === 'N' || code === 'NEG' || code === 'ND') return null
    const [text, kind] = interpretations[code] ?? [describe(concept).label, 'plain']
    return text ? tag(text, kind) : null
  })
}
