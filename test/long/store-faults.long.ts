import t from 'tap'
import { storeFaultScenarios } from '../support/store-fault-scenarios.ts'

t.test(
  'Redis fails in every way at every command of a launch, a refresh, an end',
  { timeout: 1_800_000 },
  (t) => storeFaultScenarios(t, true),
)
