import t from 'tap'
import { refreshStorm } from '../support/refresh-storm.ts'

// Fifty of them: test/long/refresh-storm.long.ts.
t.test('four processes with 200 requests each refresh once', { timeout: 120_000 }, (t) =>
  refreshStorm(t, 3),
)
