import { renewable, type Renewal, together } from '../config/renewable.ts'
import type { Config } from '../config/schema/config.ts'
import type { FhirDeps } from './deps.ts'
import { createFhirDoor } from './door.ts'
import type { FhirDoor } from './door.ts'
import { createAwayJudge } from './away/away-judge.ts'
import { createLaunchRate } from './resilience/launch-rate.ts'
import { createLinks } from './links.ts'
import { createUpstreams, type UpstreamsHear } from './upstreams.ts'
import { createViews } from './view.ts'
import { createConfirm } from './write/confirm.ts'
import type { Confirm } from './write/confirm.ts'

/** The FHIR proxy with its own parts: the connections to the EHRs, the rules of each mode, the links that it seals. */
export interface Fhir {
  readonly door: FhirDoor
  readonly confirm: Confirm
  readonly renew: Renewal<OwnConfig>
  close(): Promise<void>
}

type OwnParts = 'publicUrl' | 'views' | 'links' | 'upstreams' | 'rate' | 'away'

type OwnConfig = Pick<Config, 'publicUrl' | 'tenants' | 'keys' | 'rateLimits'>

export function createFhir(
  config: OwnConfig,
  outer: Omit<FhirDeps, OwnParts> & UpstreamsHear,
): Fhir {
  const upstreams = createUpstreams(config.tenants, outer)
  const away = createAwayJudge()
  const views = renewable(config, ({ tenants }) => createViews(tenants))
  const links = renewable(config, ({ keys }) => createLinks(keys.encryption))
  const limits = renewable(config, ({ rateLimits }) => ({
    perMinute: () => rateLimits.fhirPerLaunchPerMinute,
  }))
  const deps: FhirDeps = {
    ...outer,
    publicUrl: config.publicUrl,
    views: views.part,
    links: links.part,
    upstreams,
    rate: createLaunchRate(limits.part.perMinute, () => performance.now()),
    away,
  }
  return {
    door: createFhirDoor(deps),
    confirm: createConfirm(deps),
    renew: together([views.renew, links.renew, limits.renew]),
    close: async () => {
      await upstreams.close()
      await away.close()
    },
  }
}
