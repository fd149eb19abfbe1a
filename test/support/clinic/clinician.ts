import { setTimeout as sleep } from 'node:timers/promises'
import type { Sandbox } from '../../../src/sandbox/sandbox.ts'
import type { TestBrowser } from '../hospital.ts'
import { judgeAnswer, nextPage } from './judge.ts'
import type { Tally } from './tally.ts'

/**
 * One clinician at one computer: opens a chart, which reads a dozen things at once, pages through a long list, looks at
 * something else for a while, comes back, and now and then opens the next patient. Every answer is held against the
 * patient of its chart.
 */
export interface ClinicianDeps {
  readonly sandbox: Sandbox
  readonly browser: TestBrowser
  readonly tally: Tally
  readonly publicUrl: string
  readonly signal: AbortSignal
  /** Between two looks at a chart, in milliseconds. */
  readonly thinkMs: { readonly from: number; readonly to: number }
  readonly onLaunch: (live: 1 | -1) => void
}

interface Chart {
  readonly launch: string
  readonly patient: string
  /** The server said that this launch is no more; the user opens the chart again. */
  over: boolean
  /** Something did not come in this look; the user tries again soon. */
  troubled: boolean
  /** The user has asked for its end. */
  ending: boolean
}

const burst = (patient: string): readonly string[] => [
  `Patient/${patient}`,
  'Observation?category=vital-signs&_sort=-date&_count=20',
  'Observation?category=laboratory&_sort=-date&_count=20',
  'Condition?category=problem-list-item&_count=20',
  'MedicationRequest?_count=20',
  'AllergyIntolerance?_count=20',
  `Patient/${patient}`,
  'Observation?category=vital-signs&_count=5',
  'Condition?_count=5',
  'MedicationRequest?status=active&_count=5',
  'Observation?category=laboratory&_count=5',
  'AllergyIntolerance?_count=5',
]

const pagesMax = 3
/** Who did not get what was asked for tries again, at the latest after so long. */
const againMs = 10_000
/** One look in so many ends with the next patient. */
const nextPatientIn = 8

export async function work(deps: ClinicianDeps, patients: readonly string[]): Promise<void> {
  const { signal, thinkMs } = deps
  let chart: Chart | undefined
  while (!signal.aborted) {
    // oxlint-disable-next-line no-await-in-loop -- a person does one thing after the other
    chart = await look(deps, patients, chart)
    const thinking = thinkMs.from + Math.random() * (thinkMs.to - thinkMs.from)
    const again = chart === undefined || chart.troubled
    const pause = again ? Math.min(thinking, Math.random() * againMs) : thinking
    // oxlint-disable-next-line no-await-in-loop -- see above
    await sleep(pause, undefined, { signal }).catch(() => undefined)
  }
}

/** Answers the chart that is open afterwards. */
async function look(
  deps: ClinicianDeps,
  patients: readonly string[],
  open: Chart | undefined,
): Promise<Chart | undefined> {
  const chart = open ?? (await launch(deps, one(patients)))
  if (chart === undefined) return undefined
  chart.troubled = false
  if (chart.ending) return next(deps, patients, chart)
  if (open !== undefined) {
    await ask(deps, chart, 'return', `${pathOf(chart)}/activity`, 'POST')
    const told = await ask(deps, chart, 'return', pathOf(chart))
    if (told !== undefined && (JSON.parse(told) as { patient: string }).patient !== chart.patient) {
      deps.tally.wrong(`the launch of ${chart.patient} says another patient`)
    }
  }
  await Promise.all(burst(chart.patient).map((path) => read(deps, chart, path)))
  if (Math.random() * 3 < 1) await page(deps, chart)
  if (chart.over) {
    deps.onLaunch(-1)
    return undefined
  }
  if (Math.random() * nextPatientIn >= 1) return chart
  return next(deps, patients, chart)
}

/** Ends the chart and opens the next one. An end without an answer is asked for again, and may have come true. */
async function next(
  deps: ClinicianDeps,
  patients: readonly string[],
  chart: Chart,
): Promise<Chart | undefined> {
  const asked = chart.ending
  chart.ending = true
  const ended = await ask(deps, chart, asked ? 'end again' : 'end', pathOf(chart), 'DELETE')
  if (ended === undefined && !chart.over) return chart
  deps.onLaunch(-1)
  return look(deps, patients, undefined)
}

const pathOf = ({ launch }: Chart): string => `/launches/${launch}`

async function launch(deps: ClinicianDeps, patient: string): Promise<Chart | undefined> {
  const { browser, sandbox, tally } = deps
  try {
    const { url, response } = await browser.navigate(sandbox.createLaunch({ patient }).url)
    const id = /\/app\/([\w-]+)\/$/.exec(url)?.[1]
    tally.count('launch', seen(response))
    await response.body?.cancel()
    if (id === undefined || response.status !== 200) return undefined
    deps.onLaunch(1)
    return { launch: id, patient, over: false, troubled: false, ending: false }
  } catch (error) {
    tally.count('launch', lost(error))
    return undefined
  }
}

async function page(deps: ClinicianDeps, chart: Chart): Promise<void> {
  let path: string | undefined = `/fhir/${chart.launch}/Observation?category=vital-signs&_count=10`
  for (let count = 0; count < pagesMax && path !== undefined; count += 1) {
    // oxlint-disable-next-line no-await-in-loop -- the next page is known from the one before
    const text: string | undefined = await judged(deps, chart, path)
    path = text === undefined ? undefined : nextPage(text)
  }
}

const read = (deps: ClinicianDeps, chart: Chart, path: string): Promise<string | undefined> =>
  judged(deps, chart, `/fhir/${chart.launch}/${path}`)

async function judged(
  deps: ClinicianDeps,
  chart: Chart,
  path: string,
): Promise<string | undefined> {
  const text = await ask(deps, chart, 'read', path)
  const foreign = text === undefined ? undefined : judgeAnswer(text, chart.patient)
  if (foreign !== undefined) deps.tally.wrong(foreign)
  return foreign === undefined ? text : undefined
}

/** The body of a success; anything else is counted. */
async function ask(
  { browser, tally, publicUrl, signal }: ClinicianDeps,
  chart: Chart,
  action: string,
  path: string,
  method = 'GET',
): Promise<string | undefined> {
  if (signal.aborted) return undefined
  try {
    const headers = method === 'GET' ? {} : { origin: publicUrl }
    const response = await browser.fetch(path, { method, headers })
    const text = await response.text()
    const state = response.headers.get('smart-bff-state')
    const over = action === 'end again' && state === 'session_ended'
    tally.count(action, over ? '200' : seen(response))
    if (response.ok || over) return text
    if (state === null) tally.wrong(`${response.status} without a state: ${action}`)
    chart.troubled = true
    if (response.status === 401 || response.status === 409) chart.over = true
    return undefined
  } catch (error) {
    tally.count(action, lost(error))
    chart.troubled = true
    return undefined
  }
}

function seen(response: Response): string {
  const state = response.headers.get('smart-bff-state')
  return state === null ? String(response.status) : `${response.status} ${state}`
}

const lost = (error: unknown): string => {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return code === '' ? `lost: ${String(error).slice(0, 60)}` : `lost connection (${code})`
}

function one(list: readonly string[]): string {
  const chosen = list[Math.floor(Math.random() * list.length)]
  if (chosen === undefined) throw new Error('nobody to choose')
  return chosen
}
