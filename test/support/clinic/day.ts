import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { until } from '../until.ts'
import type { Clinic } from './clinic.ts'
import type { ClinicFault } from './faults.ts'
import { lookFor, metricOf, type Sign } from './signs.ts'
import type { TallyRow } from './tally.ts'

/** A day in the clinic: people come, work, and now and then something breaks. */
export interface DayPlan {
  readonly clinicians: number
  readonly everyMs: number
  /** The first fault waits until so many launches are live, by the users' count and by smart-bff's own. */
  readonly live: number
  readonly calmMs: number
  readonly faultMs: number
  /** A fault that does not show so long after that has not happened. */
  readonly signLimitMs: number
  /** After a fault has gone, until nothing goes wrong any more: circuits close, connections come back. */
  readonly recoverLimitMs: number
  /** So long without any trouble, and all is well. At least as long as a request may take. */
  readonly quietMs: number
  /** People work at least so long after everybody has come. */
  readonly workMs: number
  readonly faults: readonly ClinicFault[]
}

export interface Day {
  /** From when everybody had come to the end. */
  readonly minutes: number
  /** The fewest launches that were open at any moment of that. */
  readonly leastLive: number
  /** What each replica counted in the store before the first fault and at the end: `smart_bff_active_launches`. */
  readonly counted: { readonly before: readonly number[]; readonly end: readonly number[] }
  readonly requests: number
  readonly phases: readonly DayPhase[]
}

export interface DayPhase extends TallyRow {
  /** Of a fault: what showed that it happened. */
  readonly felt?: Readonly<Record<string, string | number>>
}

const coming = 'everybody comes'

/** Answers the table of what users saw. */
export async function spendDay(t: Test, clinic: Clinic, plan: DayPlan): Promise<Day> {
  const { tally } = clinic
  const begin = (phase: string): void => {
    t.comment(`${phase}: ${clinic.live()} launches are live`)
    tally.phase(phase)
  }
  begin(coming)
  await clinic.begin(plan.clinicians, plan.everyMs)
  const before = await allLive(clinic, plan)
  const begun = performance.now()
  begin('calm')
  await sleep(plan.calmMs)
  const signs = new Map<string, readonly Sign[]>()
  for (const fault of plan.faults) {
    begin(fault.name)
    // oxlint-disable-next-line no-await-in-loop -- one fault after the other
    signs.set(fault.name, await endure(clinic, fault, plan))
    begin(`calm after: ${fault.name}`)
    // oxlint-disable-next-line no-await-in-loop -- see above
    await sleep(plan.calmMs)
  }
  await sleep(Math.max(0, begun + plan.workMs - performance.now()))
  const minutes = Math.round((performance.now() - begun) / 600) / 100
  const counted = { before, end: await countedBy(clinic) }
  const rows = tally.rows()
  judge(t, rows, plan, tally.wrongs)
  for (const { name } of plan.faults) judgeSigns(t, name, signs.get(name) ?? [])
  return {
    minutes,
    leastLive: Math.min(...rows.slice(1).map(({ leastLive }) => leastLive)),
    counted,
    requests: rows.reduce((sum, { requests }) => sum + requests, 0),
    phases: rows.map((row) => withSigns(row, signs.get(row.phase))),
  }
}

/** Answers smart-bff's own count; throws where there are never so many. */
async function allLive(clinic: Clinic, { live, recoverLimitMs }: DayPlan): Promise<number[]> {
  await until(
    () => clinic.live(),
    (count) => count >= live,
    recoverLimitMs,
  )
  const all = (counts: readonly number[]): boolean => counts.every((count) => count >= live)
  return until(() => countedBy(clinic), all, recoverLimitMs)
}

const countedBy = ({ deployment }: Clinic): Promise<number[]> =>
  Promise.all(deployment.replicas.map((replica) => metricOf(replica, 'active_launches')))

async function endure(clinic: Clinic, fault: ClinicFault, plan: DayPlan): Promise<readonly Sign[]> {
  const evidence = await fault.begin(clinic)
  await sleep(plan.faultMs)
  const signs = await lookFor(evidence, plan.signLimitMs)
  const afterwards = await fault.end(clinic)
  const after = afterwards === undefined ? [] : await lookFor(afterwards, plan.signLimitMs)
  await recovered(clinic, plan)
  return [...signs, ...after]
}

/** Where that takes longer than it may, the calm phase that follows finds the trouble. */
async function recovered(clinic: Clinic, plan: DayPlan): Promise<void> {
  const deadline = performance.now() + plan.recoverLimitMs
  let before: number
  do {
    before = clinic.tally.troubles()
    // oxlint-disable-next-line no-await-in-loop -- one look after the other is the point
    await sleep(plan.quietMs)
  } while (clinic.tally.troubles() !== before && performance.now() < deadline)
}

function judge(t: Test, rows: readonly TallyRow[], plan: DayPlan, wrongs: readonly string[]): void {
  t.strictSame(wrongs, [], 'no answer about another patient, and none that no state explains')
  for (const { phase, requests, troubles } of rows) {
    const fault = plan.faults.find(({ name }) => name === phase)
    if (phase !== coming) t.ok(requests > 0, `${phase}: people worked`)
    if (fault === undefined) t.strictSame(troubles, {}, `${phase}: nothing went wrong`)
    else {
      const unexpected = Object.keys(troubles).filter((seen) => !fault.maySee.test(seen))
      t.strictSame(unexpected, [], `${phase}: users saw nothing but what it explains`)
    }
  }
}

function judgeSigns(t: Test, fault: string, signs: readonly Sign[]): void {
  t.ok(signs.length > 0, `${fault}: it was looked for`)
  for (const { what, seen, shown } of signs) t.ok(shown, `${fault}: ${what}: ${seen}`)
}

const withSigns = (row: TallyRow, signs: readonly Sign[] | undefined): DayPhase =>
  signs === undefined
    ? row
    : { ...row, felt: Object.fromEntries(signs.map(({ what, seen }) => [what, seen])) }
