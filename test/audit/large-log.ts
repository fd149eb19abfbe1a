import { createWriteStream, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { once } from 'node:events'
import type { Test } from 'tap'
import { genesis, link } from '../../src/audit/chain.ts'
import { createCheckpointSigner } from '../../src/audit/checkpoints.ts'
import { createPseudonyms } from '../../src/audit/pseudonyms.ts'
import { auditRecord } from '../../src/audit/record.ts'
import { createSearchIndex } from '../../src/audit/search-index/search-index.ts'
import type { AuditQuery } from '../../src/audit/search-index/query.ts'
import { verifyAudit } from '../../src/audit/verify.ts'
import { questionOf } from '../../src/staff/questions.ts'
import { tellFigures } from '../support/figures.ts'
import { until } from '../support/until.ts'
import { auditConfig, pseudonymKey, publicKey, signing } from './support.ts'

/** A log as a clinic writes it, of any size, and what is promised of it: in `npm test` small, in test/long a million. */
const began = Date.parse('2026-03-01T00:00:00.000Z')
const apartMs = 80
const newest = { order: 'newest', limit: 10 } as const
const pseudonyms = createPseudonyms([pseudonymKey])
const patients = Array.from({ length: 5000 }, (_, index) =>
  pseudonyms.patient('north', `p${String(index)}`),
)
const clients = Array.from({ length: 40 }, (_, index) =>
  pseudonyms.patient('client', `10.0.0.${String(index)}`),
)

const eventOf = (count: number): string => {
  if (count % 20 === 3) return 'launch.authorized'
  if (count % 50 === 10) return 'fhir.intended'
  if (count % 50 === 11) return 'fhir.written'
  return count % 50 === 0 ? 'fhir.refused' : 'fhir.access'
}

/** Two records of each: an intent and its outcome have the same. */
function requestOf(count: number): string {
  const digits = (count >> 1).toString(16).toUpperCase().padStart(10, '0')
  return `${digits.slice(0, 4)}-${digits.slice(4, 8)}-${digits.slice(8)}`
}

function membersOf(count: number): string {
  const refused = count % 50 === 0
  return (
    `"time":"${new Date(began + count * apartMs).toISOString()}","event":"${eventOf(count)}",` +
    `"outcome":"${refused ? 'refused' : 'success'}","tenant":"north","mode":"chart",` +
    `"launch":"${(count % 9973).toString(16).padStart(16, '0')}","request":"${requestOf(count)}",` +
    `"client":"${clients[count % 40] ?? ''}","user":"Practitioner/${String(count % 300)}",` +
    `"patient":"${patients[count % 5000] ?? ''}","rule":"Vitals and results","interaction":"search-type",` +
    `"resource":"Observation","status":${refused ? '403' : '200'},"count":12,"bytes":48213,` +
    `"ms":${String(count % 400)},"instance":"big"`
  )
}

/** One day's file, ended by a checkpoint. */
export async function writeLargeLog(t: Test, size: number): Promise<string> {
  const { directory } = auditConfig().audit
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const path = join(directory, '2026-03-01.big.jsonl')
  const file = createWriteStream(path)
  let head = genesis
  for (let done = 0; done < size;) {
    let text = ''
    for (const end = Math.min(size, done + 10_000); done < end; done += 1) {
      const next = link(head, membersOf(done))
      head = next.head
      text += `${next.line}\n`
    }
    auditRecord.parse(JSON.parse(text.slice(0, text.indexOf('\n'))))
    // oxlint-disable-next-line no-await-in-loop -- the memory holds one piece
    if (!file.write(text)) await once(file, 'drain')
    if (done % 250_000 === 0) t.comment(`${String(done)} records written`)
  }
  file.end()
  await once(file, 'close')
  const note = createCheckpointSigner('big', signing).note(head)
  writeFileSync(path.replace('.jsonl', '.checkpoints'), note)
  t.comment(`${String(size)} records, ${(statSync(path).size / 1e6).toFixed(0)} MB`)
  return directory
}

/** Proves a log whole; answers the seconds of CPU, for the machine may be busy with other things, and of the clock. */
export async function timeVerification(t: Test, directory: string, size: number) {
  const began = performance.now()
  const before = process.cpuUsage()
  const { logs } = await verifyAudit({ directory, publicKey })
  const { user, system } = process.cpuUsage(before)
  const cpu = (user + system) / 1e6
  const clock = (performance.now() - began) / 1000
  t.match(logs, [{ records: size, sealed: size, faults: [] }])
  t.equal(readdirSync(directory).filter((name) => name.includes('.big.')).length, 2)
  tellFigures(t, {
    records: size,
    verifiedSeconds: rounded(clock),
    verifiedCpuSeconds: rounded(cpu),
  })
  return { cpu, clock }
}

/** Each page as the staff site asks for it: first page, how many there are up to 10,000, who looked at a patient. */
const pages: readonly (readonly [name: string, limitMs: number, query: Partial<AuditQuery>])[] = [
  [
    'who looked at a patient',
    50,
    questionOf('patient', { order: 'newest', patients: [patients[77] ?? ''] }),
  ],
  ['patient', 50, { patients: [patients[77] ?? ''] }],
  ['launch', 50, { launch: '0000000000000100' }],
  ['everything', 300, {}],
  ['launches of a day', 300, questionOf('open', { order: 'denied_first', from: began })],
  ['user', 300, { users: ['Practitioner/7'] }],
  ['refused of a type', 300, { outcome: 'refused', resource: 'Observation' }],
  [
    'denied first in a window',
    300,
    { order: 'denied_first', from: began + 800_000, to: began + 3_200_000 },
  ],
  ['nothing fits', 300, { event: 'fhir.access', outcome: 'failed', resource: 'Observation' }],
]

const rounded = (value: number): number => Number(value.toFixed(2))

/** The median of five, so that one moment of a busy machine is no failure. */
async function medianMs(ask: () => Promise<unknown>): Promise<number> {
  await ask()
  const times: number[] = []
  for (let tries = 0; tries < 5; tries += 1) {
    const before = performance.now()
    // oxlint-disable-next-line no-await-in-loop -- one search after the other
    await ask()
    times.push(performance.now() - before)
  }
  return times.toSorted((a, b) => a - b)[2] ?? 0
}

export async function timeSearches(t: Test, directory: string, size: number): Promise<void> {
  const index = createSearchIndex({ directory, instance: 'one', pollMs: 100_000 })
  t.teardown(() => index.close())
  const before = performance.now()
  // A round over a million records takes longer than a question may.
  await until(
    () => index.update().catch(() => undefined),
    (progress) => progress?.behind === 0 && progress.records === size,
    600_000,
  )
  const seconds = (performance.now() - before) / 1000
  tellFigures(t, { indexedSeconds: rounded(seconds) })
  for (const [name, limitMs, asked] of pages) {
    const query = { ...newest, ...asked }
    // oxlint-disable-next-line no-await-in-loop -- one after the other: they are timed
    const ms = await medianMs(() =>
      Promise.all([
        index.search({ ...query, limit: 100 }),
        index.count({ ...query, limit: 10_001 }),
        ...(name.startsWith('who') ? [index.people({ ...query, limit: 200 })] : []),
      ]),
    )
    t.ok(ms < limitMs, `${name}: ${ms.toFixed(1)} ms of ${String(limitMs)}`)
    tellFigures(t, { [`search, ${name}, ms`]: rounded(ms) })
  }
  // As the overview asks: of whole hours.
  const bucketMs = 6 * 3_600_000
  const range = { from: began, to: began + Math.ceil((size * apartMs) / bucketMs) * bucketMs }
  for (const name of ['launches', 'fhir', 'latency', 'tenantLatency'] as const) {
    // oxlint-disable-next-line no-await-in-loop -- see above
    const ms = await medianMs(() => index.series({ name, ...range, bucketMs }))
    t.ok(ms < 100, `overview, ${name} of everything: ${ms.toFixed(1)} ms of 100`)
    tellFigures(t, { [`overview, ${name}, ms`]: rounded(ms) })
  }
}
