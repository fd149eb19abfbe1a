import { Pool } from 'undici'
import { say, startOurs } from '../harness.ts'
import type { Lab } from '../harness.ts'
import type { Figures, Plan } from '../bench.ts'

/** Launches per second: from /launch, probe and callback to the app's URL, each with a browser of its own. */
const atOnce = 20

export async function launches(lab: Lab, plan: Plan): Promise<Figures> {
  const ours = await startOurs(lab)
  const pool = new Pool(ours.origin, { connections: atOnce, allowH2: false })
  try {
    await launchMany(pool, lab, Math.ceil(plan.launches / 4))
    const before = await ours.usage()
    const started = performance.now()
    await launchMany(pool, lab, plan.launches)
    const seconds = (performance.now() - started) / 1000
    const { cpuMicroseconds } = await ours.usage()
    const cpuMs = (cpuMicroseconds - before.cpuMicroseconds) / plan.launches / 1000
    say(`\nLaunches: ${cpuMs.toFixed(2)} ms of CPU each in smart-bff (EHR excluded), so`)
    say(
      `${(1000 / cpuMs).toFixed(0)} a second on one core; here ${(plan.launches / seconds).toFixed(0)} a second with the EHR beside it.`,
    )
    return {
      'cpu ms': cpuMs,
      'a second on one core': 1000 / cpuMs,
      'a second here': plan.launches / seconds,
    }
  } finally {
    await pool.destroy()
    await ours.stop()
  }
}

async function launchMany(pool: Pool, lab: Lab, count: number): Promise<void> {
  let left = count
  const one = async (): Promise<void> => {
    while (left > 0) {
      left -= 1
      // oxlint-disable-next-line no-await-in-loop -- a closed loop
      await launch(pool, lab)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, one))
}

async function launch(pool: Pool, { ehr }: Lab): Promise<void> {
  const query = new URLSearchParams({ iss: `${ehr}/fhir/r4`, launch: 'xyz' })
  let path = `/launch?${query.toString()}`
  let cookie = ''
  for (let step = 0; step < 6; step += 1) {
    // oxlint-disable-next-line no-await-in-loop -- each step leads to the next
    const answer = await pool.request({
      path,
      method: 'GET',
      headers: cookie === '' ? {} : { cookie },
    })
    // oxlint-disable-next-line no-await-in-loop -- so that the connection is free
    const text = await answer.body.text()
    const [set] = [answer.headers['set-cookie'] ?? []].flat()
    if (cookie === '' && set !== undefined) cookie = set.split(';', 1)[0] ?? ''
    const location = String(answer.headers['location'] ?? '')
    if (location.startsWith('/app/')) return
    if (location === '')
      throw new Error(
        `a launch ended at ${path} with ${String(answer.statusCode)}: ${text.slice(0, 200)}`,
      )
    // oxlint-disable-next-line no-await-in-loop -- each step leads to the next
    path = location.startsWith(ehr) ? await approve(location) : location
  }
  throw new Error('a launch leads in circles')
}

async function approve(url: string): Promise<string> {
  const answer = await fetch(url, { redirect: 'manual' })
  const back = new URL(answer.headers.get('location') ?? '')
  return back.pathname + back.search
}
