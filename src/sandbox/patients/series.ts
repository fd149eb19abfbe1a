import type { Hospital } from './organization.ts'
import type { Measure } from './measures.ts'
import { laboratory, panels, vitals } from './measures.ts'
import type { Person } from './people.ts'
import type { Drawing } from './shape.ts'
import { daysAgo, hl7, instant, rounded, syntheticMeta } from './shape.ts'

/** Everything measured over time: vital signs, laboratory results and their reports. */
export function drawSeries(
  drawing: Drawing,
  hospital: Hospital,
  patient: string,
  person: Person,
): void {
  const of: Of = { drawing, hospital, patient, subject: { reference: `Patient/${patient}` } }
  drawVitals(of, person)
  for (const row of person.panels ?? []) drawPanel(of, person, row)
}

interface Of {
  readonly drawing: Drawing
  readonly hospital: Hospital
  readonly patient: string
  readonly subject: { reference: string }
}

function drawVitals(of: Of, person: Person): void {
  const { everyDays, count, values = {} } = person.vitals ?? { everyDays: 1, count: 0 }
  const { random, now } = of.drawing
  for (let index = 0; index < count; index += 1) {
    const at = daysAgo(now, (count - 1 - index) * everyDays + 0.05 + random.between(0, 0.2))
    const share = count < 2 ? 1 : index / (count - 1)
    const value = (name: keyof typeof vitals): number =>
      drawn(of.drawing, vitals[name], values[name], share)
    drawPressure(of, at, value('systolic'), value('diastolic'))
    drawVital(of, at, vitals.heartRate, value('heartRate'))
    drawVital(of, at, vitals.saturation, Math.min(100, value('saturation')))
    if (index % 2 === 0) drawVital(of, at, vitals.weight, value('weight'))
    if (index % 3 === 0) drawVital(of, at, vitals.temperature, value('temperature'))
    if (index % 10 === 0 && values.height) drawVital(of, at, vitals.height, value('height'))
  }
}

/** A value on the way from the series' start to its end, with the measure's own spread. */
function drawn(
  { random }: Drawing,
  measure: Measure,
  range: readonly [number, number] | undefined,
  share: number,
): number {
  const mean = range === undefined ? measure.mean : range[0] + (range[1] - range[0]) * share
  return rounded(random.normal(mean, measure.deviation), measure.decimals)
}

const quantity = (measure: Measure, value: number) => ({
  value,
  unit: measure.unit,
  system: 'http://unitsofmeasure.org',
  code: measure.ucum,
})

const loinc = (measure: { code: string; display: string }) => ({
  text: measure.display,
  coding: [{ system: 'http://loinc.org', code: measure.code, display: measure.display }],
})

const vitalSigns = () => [hl7('observation-category', 'vital-signs', 'Vital Signs')]

function drawVital(of: Of, at: Date, measure: Measure, value: number): void {
  const { random, keep } = of.drawing
  keep(
    {
      resourceType: 'Observation',
      id: random.id(),
      meta: syntheticMeta,
      status: 'final',
      category: vitalSigns(),
      code: loinc(measure),
      subject: of.subject,
      effectiveDateTime: instant(at),
      performer: performer(of.hospital),
      valueQuantity: quantity(measure, value),
    },
    of.patient,
  )
}

function drawPressure(of: Of, at: Date, systolic: number, diastolic: number): void {
  const { random, keep } = of.drawing
  const part = (measure: Measure, value: number) => ({
    code: loinc(measure),
    valueQuantity: quantity(measure, value),
  })
  keep(
    {
      resourceType: 'Observation',
      id: random.id(),
      meta: syntheticMeta,
      status: 'final',
      category: vitalSigns(),
      code: loinc({ code: '85354-9', display: 'Blood pressure' }),
      subject: of.subject,
      effectiveDateTime: instant(at),
      performer: performer(of.hospital),
      component: [part(vitals.systolic, systolic), part(vitals.diastolic, diastolic)],
    },
    of.patient,
  )
}

function drawPanel(
  of: Of,
  person: Person,
  [name, everyDays, count]: NonNullable<Person['panels']>[number],
): void {
  const { random, now, keep } = of.drawing
  const panel = panels[name]
  for (let index = 0; index < count; index += 1) {
    const at = daysAgo(now, (count - 1 - index) * everyDays + 1.3 + random.between(0, 0.3))
    const share = count < 2 ? 1 : index / (count - 1)
    const results = panel.of.map((measureName) => {
      const measure = laboratory[measureName]
      const value = drawn(of.drawing, measure, person.results?.[measureName], share)
      return { reference: `Observation/${drawResult(of, at, measure, Math.max(value, 0.1))}` }
    })
    keep(
      {
        resourceType: 'DiagnosticReport',
        id: random.id(),
        meta: syntheticMeta,
        status: 'final',
        category: [hl7('v2-0074', 'LAB', 'Laboratory')],
        code: loinc(panel),
        subject: of.subject,
        effectiveDateTime: instant(at),
        issued: instant(daysAgo(at, -0.1)),
        performer: [{ reference: `Organization/${of.hospital.organization.id}` }],
        result: results,
      },
      of.patient,
    )
  }
}

function drawResult(of: Of, at: Date, measure: Measure, value: number): string {
  const { random, keep } = of.drawing
  const { low, high } = measure
  const flag =
    high !== undefined && value > high ? 'H' : low !== undefined && value < low ? 'L' : 'N'
  const display = { H: 'High', L: 'Low', N: 'Normal' }[flag]
  return keep(
    {
      resourceType: 'Observation',
      id: random.id(),
      meta: syntheticMeta,
      status: 'final',
      category: [hl7('observation-category', 'laboratory', 'Laboratory')],
      code: loinc(measure),
      subject: of.subject,
      effectiveDateTime: instant(at),
      issued: instant(daysAgo(at, -0.1)),
      performer: [{ reference: `Organization/${of.hospital.organization.id}` }],
      valueQuantity: quantity(measure, value),
      interpretation: [hl7('v3-ObservationInterpretation', flag, display)],
      referenceRange: [
        {
          ...(low === undefined ? {} : { low: quantity(measure, low) }),
          ...(high === undefined ? {} : { high: quantity(measure, high) }),
        },
      ],
    },
    of.patient,
  ).id
}

const performer = (hospital: Hospital) => [
  {
    reference: `Practitioner/${hospital.clinicians[2]?.id ?? hospital.clinicians[0].id}`,
    display: hospital.clinicians[2]?.name ?? hospital.clinicians[0].name,
  },
]
