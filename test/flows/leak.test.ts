import t from 'tap'
import type { LeakPosition } from '../../src/sandbox/control/faults.ts'
import { settle } from '../../src/sandbox/options.ts'
import { generate } from '../../src/sandbox/patients/generate.ts'
import { startHospital } from '../support/hospital.ts'

/**
 * An EHR that puts another patient's record into its answers, in every position where a record can stand, and through
 * every way of asking: not one word of that patient reaches the browser, whatever the tenant's policy is.
 */
const types = [
  'Patient',
  'Observation',
  'Condition',
  'MedicationRequest',
  'DiagnosticReport',
  'Encounter',
]
const mode = {
  scopes: ['launch', 'openid', 'fhirUser', 'patient/*.cruds'],
  allow: [
    ...types.map((resource) => ({
      feature: resource,
      resource,
      interactions: ['read', 'vread', 'history-instance', 'search-type'],
      search: ['_count', 'category'],
      include: ['Observation:encounter'],
    })),
    { feature: 'Notes', resource: 'Observation', interactions: ['create', 'update'] },
    { feature: 'Record', operation: 'Patient/$everything', parameters: ['_count', '_type'] },
    { feature: 'Dashboard', bundle: ['batch'] },
  ],
}
const positions: readonly LeakPosition[] = [
  'entry',
  'first-entry',
  'include',
  'outcome-entry',
  'history',
  'contained',
  'subject-only',
  'nested-bundle',
  'parameters',
  'instead',
]

for (const guard of ['refuse', 'drop'] as const) {
  t.test(`guard: ${guard}`, async (t) => {
    const hospital = await startHospital({ mode, tenant: { guard } })
    t.teardown(() => hospital.close())
    const { sandbox } = hospital
    const amara = sandbox.patient('amara')
    const bart = sandbox.patient('bart')
    const words = wordsOf(bart.id)
    t.ok(words.length > 50, `${words.length} words to look for`)
    const browser = hospital.browser()
    const { launch } = await browser.launch({ patient: amara.id })

    const ask = async (method: string, path: string, body?: object): Promise<Response> =>
      browser.fetch(`/fhir/${launch}/${path}`, {
        method,
        headers: { origin: hospital.publicUrl, 'content-type': 'application/fhir+json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
    const told = async (response: Response): Promise<string> =>
      JSON.stringify([...response.headers]) + (await response.text())
    const list = (await (await ask('GET', 'Observation?_count=2')).json()) as {
      entry: { resource: { id: string } }[]
      link: { relation: string; url: string }[]
    }
    const id = list.entry[0]?.resource.id ?? ''
    const next = list.link.find(({ relation }) => relation === 'next')?.url ?? ''
    const page = next.slice(`${hospital.publicUrl}/fhir/${launch}/`.length)
    const weight = {
      resourceType: 'Observation',
      status: 'final',
      code: { text: 'weight' },
      subject: { reference: `Patient/${amara.id}` },
    }
    const batch = (url: string): object => ({
      resourceType: 'Bundle',
      type: 'batch',
      entry: [{ request: { method: 'GET', url } }],
    })
    const ways: readonly (readonly [string, string, object?])[] = [
      ['GET', `Patient/${amara.id}`],
      ['GET', `Observation/${id}`],
      ['GET', `Observation/${id}/_history/1`],
      ['GET', `Observation/${id}/_history`],
      ['GET', 'Condition'],
      ['GET', 'MedicationRequest?_count=3'],
      ['GET', 'Patient'],
      ['GET', 'Observation?_count=3&_include=Observation:encounter'],
      ['GET', `Patient/${amara.id}/Observation?_count=3`],
      ['GET', page],
      ['GET', `Patient/${amara.id}/$everything?_type=Observation,Condition&_count=20`],
      ['POST', 'Observation', weight],
      ['POST', '', batch('Condition')],
      ['POST', '', batch(`Observation/${id}`)],
    ]
    let leaked = 0
    for (const [method, path, body] of ways) {
      const clean = await ask(method, path, body)
      t.ok(clean.ok, `${method} ${path} works: ${clean.status}`)
      t.notOk(firstOf(words, await told(clean)))
      for (const position of positions) {
        const fault = { where: 'fhir', kind: 'leak', position, patient: bart.id } as const
        sandbox.control.setFaults([fault])
        const before = sandbox.requests().length
        const answer = await ask(method, path, body)
        const seen = sandbox.requests().slice(before)
        sandbox.control.setFaults([])
        const found = firstOf(words, await told(answer))
        t.notOk(found, `${method} ${path}, ${position}: ${answer.status}`)
        if (seen.some((request) => request.fault === 'leak')) leaked += 1
      }
    }
    t.equal(leaked, ways.length * positions.length, 'the EHR leaked every time')
    const lines = await hospital.audit()
    const reasons = new Set(lines.map(({ reason }) => reason))
    t.ok(reasons.has('wrong_patient'))
    t.equal(reasons.has('dropped'), guard === 'drop')
  })
}

/** Everything that the sandbox knows of a patient and of nobody else: ids, names, numbers, dates of birth, addresses. */
function wordsOf(id: string): readonly string[] {
  const { records } = generate(settle({}))
  const all = records.map((record) => JSON.stringify(record))
  const his = all.filter((text) => text.includes(`Patient/${id}`) || text.includes(`"id":"${id}"`))
  const others = all.filter((text) => !his.includes(text)).join('\n')
  const words = his.flatMap((text) =>
    [...text.matchAll(/"([^"\\]{6,80})"/g)].map(([, word = '']) => word),
  )
  return [...new Set(words)].filter(
    (word) => !others.includes(`"${word}"`) && !/^[a-z-]+$/i.test(word),
  )
}

function firstOf(words: readonly string[], text: string): string | undefined {
  return words.find((word) => text.includes(word))
}
