import { createChart } from './chart.js'
import { el, tag } from './dom.js'
import { describe, hasCode, searchAll } from './fhir.js'
import { dayText, readDate, timeText, unitText } from './format.js'
import { empty, incomplete } from './lists.js'
import { createSection } from './section.js'

/** The usual vital signs in their usual order, by LOINC. Others follow under the name they were recorded with. */
const known = [
  {
    name: 'Blood pressure',
    series: [
      ['Systolic', '8480-6'],
      ['Diastolic', '8462-4'],
    ],
  },
  { name: 'Heart rate', series: [['Heart rate', '8867-4']] },
  { name: 'Temperature', series: [['Temperature', '8310-5', '8331-1']] },
  { name: 'Respiratory rate', series: [['Respiratory rate', '9279-1']] },
  { name: 'Oxygen saturation', series: [['Oxygen saturation', '59408-5', '2708-6']] },
  { name: 'Weight', series: [['Weight', '29463-7', '3141-9']] },
  { name: 'Height', series: [['Height', '8302-2']] },
  { name: 'BMI', series: [['BMI', '39156-5']] },
]

export function createVitals(bff, seen) {
  let selected = null
  return createSection({
    id: 'vitals',
    title: 'Vital signs',
    wide: true,
    async load(signal) {
      const path = `Observation?patient=${bff.launch.patient}&category=vital-signs&_sort=-date&_count=100`
      const found = await searchAll(bff, path, 'Observation', signal, 5)
      seen(found.resources)
      return found
    },
    show({ resources, complete }) {
      const vitals = groups(resources)
      if (vitals.length === 0)
        return [empty('No vital signs recorded.'), incomplete(complete)].filter(Boolean)
      const panel = el('div', { class: 'vital' })
      const choose = (name) => {
        const vital = vitals.find((each) => each.name === name) ?? vitals[0]
        selected = vital.name
        for (const tile of tiles) {
          tile.setAttribute('aria-pressed', String(tile.dataset.name === selected))
        }
        panel.replaceChildren(...detail(vital))
      }
      const tiles = vitals.map((vital) => tileOf(vital, choose))
      choose(selected)
      return [
        el('div', { class: 'tiles', role: 'group', 'aria-label': 'Choose a vital sign' }, tiles),
        panel,
        incomplete(complete),
      ].filter(Boolean)
    },
  })
}

/** Groups observations to `{ name, series: [name], rows: [{ when, values, unit, mark, doubtful }] }`, newest first. */
function groups(observations) {
  const found = new Map()
  for (const observation of observations) {
    if (['entered-in-error', 'cancelled'].includes(observation.status)) continue
    for (const { vital, values, unit } of readings(observation)) {
      const group = found.get(vital.name) ?? { ...vital, rows: [] }
      found.set(vital.name, group)
      group.rows.push({
        when: whenOf(observation),
        values,
        unit,
        mark: markOf(observation),
        doubtful: describe(observation.code).differ,
      })
    }
  }
  const order = known.map(({ name }) => name)
  const rank = ({ name }) => (order.includes(name) ? order.indexOf(name) : order.length)
  for (const group of found.values()) group.rows.sort((a, b) => timeOf(b) - timeOf(a))
  return [...found.values()].toSorted((a, b) => rank(a) - rank(b))
}

const whenOf = ({ effectiveDateTime, effectiveInstant, effectivePeriod }) =>
  effectiveDateTime ?? effectiveInstant ?? effectivePeriod?.start ?? null
const timeOf = ({ when }) => readDate(when)?.date.getTime() ?? 0
const markOf = ({ status }) =>
  ['final', 'amended', 'corrected'].includes(status) ? null : (status ?? 'status unknown')

/** The values of one observation, its own and its components', each under the vital sign it belongs to. */
function readings(observation) {
  const parts = [observation, ...(observation.component ?? [])]
  const byVital = new Map()
  for (const part of parts) {
    const quantity = part.valueQuantity
    if (quantity?.value === undefined || !part.code) continue
    const { vital, at } = placeOf(part.code)
    const reading = byVital.get(vital.name) ?? { vital, values: [], unit: unitText(quantity) }
    reading.values[at] = quantity
    byVital.set(vital.name, reading)
  }
  return [...byVital.values()]
}

function placeOf(code) {
  for (const { name, series } of known) {
    const at = series.findIndex(([, ...codes]) => hasCode(code, ...codes))
    if (at !== -1) return { vital: { name, series: series.map(([each]) => each) }, at }
  }
  const name = describe(code).label ?? 'Without a name'
  return { vital: { name, series: [name] }, at: 0 }
}

const valuesText = ({ values }, { series }) =>
  series
    .map((_, at) => (values[at] ? `${values[at].comparator ?? ''}${values[at].value}` : '–'))
    .join('/')

function tileOf(vital, choose) {
  const latest = vital.rows.find(({ doubtful }) => !doubtful) ?? vital.rows[0]
  return el(
    'button',
    { type: 'button', class: 'tile', 'data-name': vital.name, onclick: () => choose(vital.name) },
    el('span', { class: 'tile-name' }, vital.name),
    el(
      'span',
      { class: 'tile-value' },
      valuesText(latest, vital),
      el('span', { class: 'unit' }, ` ${latest.unit}`),
    ),
    el('span', { class: 'tile-date' }, dayText(latest.when) ?? 'no date'),
  )
}

/**
 * The chart, and the same values as a table. Units are never mixed in a chart, nothing is converted, and a reading whose
 * codes name two different things stands in the table only.
 */
function detail(vital) {
  const dated = vital.rows.filter(({ when, doubtful }) => readDate(when) && !doubtful)
  const counts = Map.groupBy(dated, ({ unit }) => unit)
  const [unit, rows] = [...counts].toSorted((a, b) => b[1].length - a[1].length)[0] ?? ['', []]
  const left = vital.rows.length - rows.length
  return [
    rows.length > 0
      ? createChart({
          title: vital.name,
          unit,
          series: vital.series,
          points: rows.toReversed().map((row) => ({
            time: timeOf(row),
            values: vital.series.map((_, at) => row.values[at]?.value ?? null),
            text: `${valuesText(row, vital)} ${unit}`,
            when: timeText(row.when),
          })),
        })
      : null,
    left > 0
      ? el(
          'p',
          { class: 'warning' },
          `${left} not in the chart (another unit, no date, or codes that differ); see the table.`,
        )
      : null,
    el(
      'details',
      {},
      el('summary', {}, `${vital.name} as a table (${vital.rows.length})`),
      table(vital),
    ),
  ].filter(Boolean)
}

function table(vital) {
  return el(
    'div',
    { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': `${vital.name}, table` },
    el(
      'table',
      {},
      el(
        'thead',
        {},
        el(
          'tr',
          {},
          ['When', vital.series.join('/')].map((name) => el('th', { scope: 'col' }, name)),
        ),
      ),
      el(
        'tbody',
        {},
        vital.rows.map((row) =>
          el(
            'tr',
            {},
            el('td', {}, timeText(row.when) ?? 'No date'),
            el(
              'td',
              {},
              `${valuesText(row, vital)} ${row.unit} `,
              row.mark ? tag(row.mark, 'doubt') : null,
              row.doubtful ? tag('Codes differ', 'doubt') : null,
            ),
          ),
        ),
      ),
    ),
  )
}
