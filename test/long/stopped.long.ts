import t from 'tap'
import { liveThroughStops } from '../support/stops.ts'

for (let seed = 1; seed <= 5; seed += 1) {
  t.test(
    `ends hold and answers fit while processes stand still, ${seed}`,
    { timeout: 600_000 },
    (t) => liveThroughStops(t, { seed, forMs: 60_000 }),
  )
}
