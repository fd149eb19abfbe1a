import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import type { Clinic } from './clinic.ts'
import type { ClinicFault } from './faults.ts'
import type { TallyRow } from './tally.ts'

/** A day in the clinic: people come, work, and now and then something breaks. */
export interface DayPlan {
  readonly clinicians: number
  readonly everyMs: number
  readonly calmMs: number
  readonly faultMs: number
  /** After a fault has gone, until nothing goes wrong any more: circuits close, connections come back. */
  readonly recoverLimitMs: number
  /** So long without any trouble, and all is well. At least as long as a request may take. */
  readonly quietMs: number
  readonly faults: readonly ClinicFault[]
}

const coming = 'everybody comes'

/** Answers the table of what users saw. */
export async function spendDay(
  t: Test,
  clinic: Clinic,
  plan: DayPlan,
): Promise<readonly TallyRow[]> {
  const { tally } = clinic
  const begin = (phase: string): void => {
    t.comment(`${phase}: ${clinic.live()} launches are live`)
    tally.phase(phase)
  }
  begin(coming)
  await clinic.begin(plan.clinicians, plan.everyMs)
  begin('calm')
  await sleep(plan.calmMs)
  for (const fault of plan.faults) {
    begin(fault.name)
    // oxlint-disable-next-line no-await-in-loop -- one fault after the other
    await endure(clinic, fault, plan)
    begin(`calm after: ${fault.name}`)
    // oxlint-disable-next-line no-await-in-loop -- see above
    await sleep(plan.calmMs)
  }
  const rows = tally.rows()
  judge(t, rows, plan, tally.wrongs)
  return rows
}

async function endure(clinic: Clinic, fault: ClinicFault, plan: DayPlan): Promise<void> {
  await fault.begin(clinic)
  await sleep(plan.faultMs)
  await fault.end(clinic)
  await recovered(clinic, plan)
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
