import t from 'tap'
import { timeSearches, timeVerification, writeLargeLog } from '../audit/large-log.ts'

/** A million records: proved whole in under ten seconds; a search answers its first page in under 300 ms, by patient or launch in under 50. */
const size = 1_000_000

t.test('a million records', { timeout: 20 * 60_000 }, async (t) => {
  const directory = await writeLargeLog(t, size)
  const { clock } = await timeVerification(t, directory, size)
  t.ok(clock < 10, `verified in ${clock.toFixed(2)} s`)
  await timeSearches(t, directory, size)
})
