import t from 'tap'
import { killUnderLoad } from '../support/killed-under-load.ts'

/** Again and again, and with fsync: test/long/audit-killed.long.ts. */
t.test('kill -9 under load loses no answered request', { timeout: 120_000 }, async (t) => {
  await killUnderLoad(t, { rounds: 2, durability: 'write', answers: 60, limitMs: 120_000 })
})
