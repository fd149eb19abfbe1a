import type { SentinelGroup } from '../redis-groups.ts'
import type { Clinic, ClinicOptions } from './clinic.ts'
import { createEhrFaults } from './ehr-faults.ts'
import { createMachineFaults } from './machine-faults.ts'
import { createRedisFaults } from './redis-faults.ts'
import { createReplicaKilled } from './replica-killed.ts'
import type { Evidence } from './signs.ts'

/** What can go wrong in a hospital while people work, what shows that it did, and what they may see of it. */
export interface ClinicFault {
  readonly name: string
  /** Answers where to look for its signs while it lasts. */
  begin(clinic: Clinic): Promise<Evidence>
  /** Some faults show only afterwards that they have happened. */
  end(clinic: Clinic): Promise<Evidence | void>
  /** Of everything that is no success: `read: 503 data_unavailable`. Anything else fails the run. */
  readonly maySee: RegExp
}

export interface FaultsDeps {
  /** That the replicas stand on. */
  readonly redis: SentinelGroup
  /** `upstream.timeoutMs` of the tenant. */
  readonly timeoutMs: ClinicOptions['timeoutMs']
}

/** All of them, in the order in which they happen. */
export const createFaults = ({ redis, timeoutMs }: FaultsDeps): readonly ClinicFault[] => [
  createReplicaKilled(),
  ...createRedisFaults(redis),
  ...createEhrFaults(timeoutMs),
  ...createMachineFaults(),
]
