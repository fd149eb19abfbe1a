import t from 'tap'
import { storeFaultScenarios } from '../support/store-fault-scenarios.ts'

// With every way at every command: test/long/store-faults.long.ts.
t.test('Redis fails at any command of a launch, a refresh, an end', { timeout: 240_000 }, (t) =>
  storeFaultScenarios(t, false),
)
