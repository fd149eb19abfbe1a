import t from 'tap'
import { refreshStorm } from '../support/refresh-storm.ts'

t.test(
  'four processes with 200 requests each refresh once, fifty times',
  { timeout: 1_200_000 },
  (t) => refreshStorm(t, 50),
)
