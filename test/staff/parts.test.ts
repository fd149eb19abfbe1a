import t from 'tap'
import { errorTable } from '../../src/errors.ts'
import { reasons } from '../../src/audit/reasons.ts'
import { allCauses, causeOf } from '../../src/staff/causes.ts'
import { drawChart, frame } from '../../src/staff/charts.ts'
import { exportLine } from '../../src/staff/export.ts'
import { rolesOf } from '../../src/staff/permissions.ts'
import { fromZone, inZone, isZone } from '../../src/staff/time-zone.ts'

t.test('times in a zone, on both sides of a change of clocks', async (t) => {
  const zone = 'Europe/Vienna'
  const newYork = 'America/New_York'
  for (const [text, where, earlier, later] of [
    ['2026-03-01T10:14', zone, '2026-03-01T09:14'],
    ['2026-07-01T10:14', zone, '2026-07-01T08:14'],
    ['2026-03-29T01:59', zone, '2026-03-29T00:59'],
    ['2026-03-29T03:00', zone, '2026-03-29T01:00'],
    // Left out: between the two.
    ['2026-03-29T02:30', zone, '2026-03-29T00:30', '2026-03-29T01:30'],
    // Comes twice.
    ['2026-10-25T01:59', zone, '2026-10-24T23:59'],
    ['2026-10-25T02:30', zone, '2026-10-25T00:30', '2026-10-25T01:30'],
    ['2026-10-25T03:00', zone, '2026-10-25T02:00'],
    ['2026-11-01T00:59', newYork, '2026-11-01T04:59'],
    ['2026-11-01T01:30', newYork, '2026-11-01T05:30', '2026-11-01T06:30'],
    ['2026-11-01T02:00', newYork, '2026-11-01T07:00'],
    ['2026-04-05T01:45', 'Australia/Lord_Howe', '2026-04-04T14:45', '2026-04-04T15:15'],
    ['1970-01-01', 'UTC', '1970-01-01T00:00'],
    ['9998-12-31T23:59', 'Pacific/Honolulu', '9999-01-01T09:59'],
  ] as const) {
    const at = (utc: string): number => Date.parse(`${utc}Z`)
    const wanted = { earlier: at(earlier), later: at(later ?? earlier) }
    t.same(fromZone(text, where), wanted, `${text} ${where}`)
  }
  t.equal(inZone(Date.UTC(2026, 2, 1, 9, 14, 5, 7), zone), '2026-03-01 10:14:05.007')
  for (const odd of [
    '',
    'now',
    '2026-02-31',
    '2026-03-01 10:14',
    '2026-13-01',
    '2026-00-10',
    '2026-03-01T10:75',
    '2026-03-01T24:00',
    '0026-03-01',
    '0226-03-01T10:00',
    '0999-12-31',
    '1969-12-31T23:59',
    '9999-12-31',
  ])
    t.equal(fromZone(odd, zone), undefined, odd)
  t.ok(isZone('UTC'))
  t.notOk(isZone('Mars/Olympus'))
})

t.test('every reason that a record can give has words and advice', async (t) => {
  for (const reason of reasons) {
    const state = Object.entries(errorTable).find(([code]) => code === reason)?.[1].state
    const cause = causeOf(reason, state)
    t.ok(cause !== undefined && cause.what.length > 10 && cause.todo.length > 10, reason)
  }
  t.equal(causeOf(undefined, undefined), undefined)
  const listed = allCauses().flatMap(({ rows }) => rows.map(({ reason }) => reason))
  t.same(
    [...reasons].filter((reason) => !reason.startsWith('ehr.') && !listed.includes(reason)),
    [],
  )
})

t.test('roles come from the configured claim only', async (t) => {
  const configured = { auditor: ['privacy'], operator: ['desk'] }
  t.same(rolesOf(['desk', 'privacy'], configured), ['auditor', 'operator'])
  t.same(rolesOf('desk', configured), ['operator'])
  for (const odd of [undefined, null, {}, ['x'], [{}], 'privacy,desk'])
    t.same(rolesOf(odd, configured), [])
})

t.test('a cell of an export is no formula and no second row', async (t) => {
  const record = {
    seq: 1,
    time: '2026-03-01T00:00:00.000Z',
    event: 'fhir.access',
    outcome: 'success',
    rule: '=HYPERLINK("x"),\r\nnext',
    parameters: ['-1', 'code'],
    instance: 'one',
    prev: '',
    hash: '',
  } as const
  const line = exportLine({ ...record, parameters: [...record.parameters] }, 'csv')
  t.match(line, `"'=HYPERLINK(""x""),\r\nnext"`)
  t.match(line, `'-1 code`)
})

const hour = 3_600_000
const frameOf = { from: 0, to: 24 * hour, bucketMs: hour, zone: 'UTC', title: 'Test' }

t.test('bars within the frame, the same numbers as a table', async (t) => {
  const values = Array.from({ length: 80 }, (_, index) => ({
    bucket: (index % 10) * hour,
    group: `g${String(Math.floor(index / 10))}`,
    value: index,
  }))
  const chart = drawChart(values, { kind: 'bars', ...frameOf })
  t.equal(chart.groups.length, 6, 'the six largest')
  t.equal(chart.rows.length, 10)
  t.same(chart.rows[1]?.values, ['71', '61', '51', '41', '31', '21'])
  for (const { x, y, width, height } of chart.bars) {
    t.ok(x >= frame.left && x + width <= frame.right)
    t.ok(y >= frame.top - 0.1 && height > 0 && y + height <= frame.bottom + 0.1)
  }
  t.match(chart.label, /^Test: g7 745, /)
  for (const highest of [1, 5, 9, 11, 17, 33, 99, 100, 4711]) {
    const { ticks } = drawChart([{ bucket: 0, group: 'a', value: highest }], {
      kind: 'bars',
      ...frameOf,
    })
    for (const { label } of ticks) t.notMatch(label, '.', `whole numbers up to ${String(highest)}`)
  }
  const order = ['opened', 'failed', 'refused']
  const toneOf = (groups: readonly string[]) =>
    drawChart(
      groups.map((group) => ({ bucket: 0, group, value: 1 })),
      { kind: 'bars', order, ...frameOf },
    ).legend.find(({ group }) => group === 'refused')?.tone
  t.equal(toneOf(['opened', 'refused']), toneOf(order), 'a colour means the same on every page')
})

t.test('lines have a gap where nothing was measured, and no zero', async (t) => {
  const values = [0, 1, 5].map((at) => ({ bucket: at * hour, group: 'half', value: 12 }))
  const chart = drawChart(values, { kind: 'lines', unit: ' ms', ...frameOf })
  t.equal(chart.lines.length, 2)
  t.same(
    chart.lines.map(({ dots }) => dots.length),
    [2, 1],
  )
  t.same(chart.rows[2], { time: '1970-01-01 05:00', values: ['12 ms'] })
  t.same(drawChart([], { kind: 'bars', ...frameOf }).rows, [])
})
