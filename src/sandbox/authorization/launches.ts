import { randomBytes } from 'node:crypto'

/** What the EHR knows when it opens the app; it becomes the launch context of the token response (SMART 2.2). */
export interface LaunchContext {
  readonly patient?: string
  readonly encounter?: string
  /** The signed-in user, as `Practitioner/<id>` or `Patient/<id>`; the first clinician otherwise. */
  readonly user?: string
  readonly intent?: string
  readonly needPatientBanner?: boolean
  readonly fhirContext?: readonly object[]
  readonly smartStyleUrl?: string
  readonly tenant?: string
}

export interface Launch {
  readonly launch: string
  /** The app's launch URL with `iss` and `launch`, as an EHR opens it. */
  readonly url: string
}

/** Launches that wait to be redeemed, and the context of each grant given for one. */
export interface Launches {
  create(context: LaunchContext): Launch
  /** Whether this launch value is known and unspent. */
  waiting(launch: string): boolean
  /** Takes the context of a launch value; a second time there is none. */
  redeem(launch: string): LaunchContext | undefined
  bind(grantId: string, context: LaunchContext): void
  ofGrant(grantId: string | undefined): LaunchContext | undefined
  forget(): void
}

const maxKept = 5_000

export function createLaunches(launchUrl: () => string, iss: string): Launches {
  const waiting = new Map<string, LaunchContext>()
  const granted = new Map<string, LaunchContext>()

  return {
    create(context) {
      const launch = randomBytes(24).toString('base64url')
      keep(waiting, launch, context)
      const url = new URL(launchUrl())
      url.searchParams.set('iss', iss)
      url.searchParams.set('launch', launch)
      return { launch, url: url.href }
    },
    waiting: (launch) => waiting.has(launch),
    redeem(launch) {
      const context = waiting.get(launch)
      waiting.delete(launch)
      return context
    },
    bind: (grantId, context) => keep(granted, grantId, context),
    ofGrant: (grantId) => (grantId === undefined ? undefined : granted.get(grantId)),
    forget() {
      waiting.clear()
      granted.clear()
    },
  }
}

function keep<T>(map: Map<string, T>, key: string, value: T): void {
  map.set(key, value)
  const [oldest] = map.keys()
  if (map.size > maxKept && oldest !== undefined) map.delete(oldest)
}
