import type { AllowInfo, LaunchInfo } from '../browser/launch-info.ts'
import type { Rule } from '../config/schema/rule.ts'
import type { OwnLaunch } from './own-launch.ts'

/** What the app may know of its launch: built member by member, so that a token cannot slip in (DESIGN rule 1). */
export function launchInfo(
  { record, idleAt, tenant, mode }: OwnLaunch,
  style: LaunchInfo['style'],
): LaunchInfo {
  const { context, user, tokens } = record
  return {
    launch: record.launch,
    state: record.state,
    tenant: { id: tenant.id, name: tenant.name },
    mode: mode.id,
    fhir: `/fhir/${record.launch}`,
    user: { fhirUser: user.fhirUser ?? null, kind: user.kind ?? null },
    patient: context.patient ?? null,
    encounter: context.encounter ?? null,
    fhirContext: context.fhirContext.map((item) => ({ ...item })),
    intent: context.intent ?? null,
    needPatientBanner: context.needPatientBanner,
    style,
    scopes: record.scopes.granted.split(' ').filter((scope) => scope !== ''),
    allow: mode.allow.map(allowInfo),
    expires: {
      idle: instant(idleAt),
      absolute: instant(record.absoluteAt),
      token: tokens.accessExpiresAt === undefined ? null : instant(tokens.accessExpiresAt),
    },
    support: tenant.support?.text ?? null,
  }
}

function allowInfo(rule: Rule): AllowInfo {
  const { feature } = rule
  if ('resource' in rule) {
    return { feature, resource: rule.resource, interactions: rule.interactions }
  }
  return 'operation' in rule
    ? { feature, operation: rule.operation }
    : { feature, bundle: rule.bundle }
}

const instant = (time: number): string => new Date(time).toISOString()
