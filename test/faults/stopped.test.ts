import t from 'tap'
import { liveThroughStops } from '../support/stops.ts'

t.test('ends hold and answers fit while processes stand still', { timeout: 120_000 }, (t) =>
  liveThroughStops(t, { seed: Date.now() % 1_000_000, forMs: 6000 }),
)
