import { styleText } from 'node:util'
import { areas, type Finding } from './finding.ts'

/** A tenant's findings. */
export interface TenantReport {
  readonly tenant: string
  readonly iss: string
  readonly vendor: string
  readonly findings: readonly Finding[]
}

type Outcome = Finding['outcome']

const marks: Readonly<Record<Outcome, string>> = { ok: '✓', warn: '!', fail: '✗', skip: '-' }
const colours = { ok: 'green', warn: 'yellow', fail: 'red', skip: 'gray' } as const

/** One line a finding, by area; `colour` only where a terminal shows it. */
export function reportText(reports: readonly TenantReport[], colour: boolean): string {
  const paint = (outcome: Outcome, text: string): string =>
    colour ? styleText(colours[outcome], text, { validateStream: false }) : text
  const lines = reports.flatMap(({ tenant, iss, vendor, findings }) => [
    '',
    `${tenant} (${vendor}) ${iss}`,
    ...areas
      .flatMap((area) => findings.filter((finding) => finding.area === area))
      .map(lineOf(paint)),
  ])
  return [...lines, '', summary(reports, paint), ''].join('\n')
}

const lineOf =
  (paint: (outcome: Outcome, text: string) => string) =>
  ({ area, subject, outcome, sentence }: Finding): string =>
    `  ${paint(outcome, marks[outcome])} ${area.padEnd(9)}  ${printable(`${subject}: ${sentence}`)}`

/** An EHR's own words may stand in it, and it ends in a terminal. */
const printable = (text: string): string => text.replaceAll(/[\p{Cc}\p{Cf}]/gu, '?')

function summary(
  reports: readonly TenantReport[],
  paint: (outcome: Outcome, text: string) => string,
): string {
  const all = reports.flatMap(({ findings }) => findings)
  const count = (outcome: Outcome): number => all.filter((one) => one.outcome === outcome).length
  const [failed, warned] = [count('fail'), count('warn')]
  const warnings = `${warned} ${warned === 1 ? 'thing' : 'things'} to look at`
  if (failed === 0) return paint('ok', `Ready to launch; ${warnings}.`)
  return paint('fail', `${failed} ${failed === 1 ? 'thing' : 'things'} will not work; ${warnings}.`)
}

export const isReady = (reports: readonly TenantReport[]): boolean =>
  reports.every(({ findings }) => findings.every(({ outcome }) => outcome !== 'fail'))

export const reportJson = (reports: readonly TenantReport[]): string =>
  `${JSON.stringify({ ready: isReady(reports), tenants: reports }, null, 2)}\n`
