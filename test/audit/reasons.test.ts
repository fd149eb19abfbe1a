import t from 'tap'
import { reasons } from '../../src/audit/reasons.ts'
import type { ReasonWord } from '../../src/audit/reasons.ts'
import type { BrowserRefusal } from '../../src/session/anti-forgery.ts'

/** Does not compile when a station's word is missing in the audit's list. */
const ofStations: Readonly<Record<BrowserRefusal, ReasonWord>> = {
  service_worker: 'service_worker',
  navigation: 'navigation',
  cross_site: 'cross_site',
  destination: 'destination',
  header_missing: 'header_missing',
  origin: 'origin',
}

t.test('the list holds words and codes, never a sentence', async (t) => {
  for (const word of reasons) t.match(word, /^[A-Za-z][A-Za-z0-9_.]{1,63}$/)
  for (const word of Object.values(ofStations)) t.ok(reasons.has(word))
})
