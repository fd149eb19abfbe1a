import type { Sandbox } from '../../src/sandbox/sandbox.ts'
import type { TestBrowser } from './hospital.ts'

/** People at work through the proxy: launches, bursts of parallel reads. Every answer is checked for its patient. */
export interface Load {
  /** Goes on until `stop`; what went wrong stands in the result. */
  stop(): Promise<LoadResult>
  /** So far. */
  count(): number
}

export interface LoadResult {
  readonly requests: number
  readonly launches: number
  /** Status by what was asked, and any answer about another patient. */
  readonly wrong: readonly string[]
}

const reads = (patient: string): readonly string[] => [
  `Patient/${patient}`,
  'Observation?_count=5',
  'Condition?_count=5',
  'MedicationRequest?_count=5',
]

/** A Patient whose record was merged with another names that one, and may: `Patient.link`. */
function withoutLinks(text: string): string {
  const { link, ...resource } = JSON.parse(text) as Record<string, unknown>
  const isPatient = resource['resourceType'] === 'Patient'
  return isPatient && link !== undefined ? JSON.stringify(resource) : text
}

export function startLoad(
  sandbox: Sandbox,
  browsers: readonly TestBrowser[],
  { relaunchEvery = 25, pauseMs = 50 }: { relaunchEvery?: number; pauseMs?: number } = {},
): Load {
  const wrong: string[] = []
  let requests = 0
  let launches = 0
  const end = { stopping: false }

  const work = async (browser: TestBrowser, index: number): Promise<void> => {
    let patient = ''
    let launch = ''
    for (let round = 0; !end.stopping; round += 1) {
      try {
        if (round % relaunchEvery === 0) {
          const next = sandbox.patients[(index + round) % sandbox.patients.length]?.id ?? ''
          // oxlint-disable-next-line no-await-in-loop -- one person does one thing after the other
          ;({ launch } = await browser.launch({ patient: next }))
          patient = next
          launches += 1
        }
        // oxlint-disable-next-line no-await-in-loop -- see above
        await Promise.all(reads(patient).map((path) => read(browser, launch, path, patient)))
      } catch (error) {
        wrong.push(`${patient}: ${String(error).slice(0, 200)}`)
      }
      // oxlint-disable-next-line no-await-in-loop -- see above
      await new Promise((resolve) => setTimeout(resolve, pauseMs * (0.5 + Math.random())))
    }
  }

  const read = async (
    browser: TestBrowser,
    launch: string,
    path: string,
    patient: string,
  ): Promise<void> => {
    const answer = await browser.fetch(`/fhir/${launch}/${path}`)
    const text = await answer.text()
    requests += 1
    if (answer.status !== 200) {
      const state = answer.headers.get('smart-bff-state') ?? ''
      wrong.push(
        `${path.split('?')[0]?.split('/')[0]} ${answer.status} ${state} ${new Date().toISOString()}`,
      )
      return
    }
    for (const [, other] of withoutLinks(text).matchAll(
      /"reference":"(?:[^"]*\/)?Patient\/([A-Za-z0-9.-]+)"/g,
    )) {
      if (other !== patient) wrong.push(`CROSS-TALK ${path}: ${String(other)}`)
    }
    if (path.startsWith('Patient/') && !text.includes(`"id":"${patient}"`)) wrong.push('CROSS-TALK')
  }

  const working = browsers.map(work)
  return {
    count: () => requests,
    stop: async () => {
      end.stopping = true
      await Promise.all(working)
      return { requests, launches, wrong }
    },
  }
}
