import type { ResolvedQuirks } from '../../ehr/quirks.ts'
import type { SmartConfiguration } from '../../ehr/smart-configuration.ts'
import { type Finding, inArea } from './finding.ts'

/** Options of the tenant that lean on something the EHR must have. Pure. */
export function judgeOptions(
  { introspection, callbackIss, authorizeMethod }: ResolvedQuirks,
  configuration: SmartConfiguration,
): readonly Finding[] {
  const say = inArea('launch')
  const findings: Finding[] = []
  if (introspection) {
    const { introspectionEndpoint } = configuration
    findings.push(
      introspectionEndpoint === undefined
        ? say.fail('introspection', 'switched on, and the EHR has no endpoint: no launch opens')
        : say.ok('introspection', introspectionEndpoint),
    )
  }
  if (callbackIss === 'required' && !configuration.callbackIss) {
    const sentence = 'required, and the EHR does not say that it sends it: a launch will tell'
    findings.push(say.warn('iss at the callback', sentence))
  }
  const { capabilities } = configuration
  if (authorizeMethod !== 'get' && !capabilities.includes('authorize-post')) {
    const sentence = 'the EHR does not list authorize-post: it may not take the form'
    findings.push(say.warn('authorization by POST', sentence))
  }
  return findings
}
