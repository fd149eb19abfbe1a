import t from 'tap'
import { killUnderLoad } from '../support/killed-under-load.ts'

const minute = 60_000

for (const durability of ['write', 'fsync'] as const) {
  t.test(`kill -9 under load, 40 times (${durability})`, { timeout: 20 * minute }, async (t) => {
    await killUnderLoad(t, { rounds: 40, durability, answers: 400, limitMs: 20 * minute })
  })
}
