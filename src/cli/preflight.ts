import type { Config } from '../config/schema/config.ts'
import type { Output } from './audit-verify.ts'
import { isReady, reportJson, reportText, type TenantReport } from './preflight/report.ts'
import { checkTenant } from './preflight/tenant.ts'

/** `smart-bff preflight`: the configuration against the live EHRs, without a user, before anyone launches. */
export interface PreflightOptions {
  /** Undefined: every tenant. */
  readonly tenant: string | undefined
  readonly json: boolean
  readonly colour: boolean
}

/** Answers the exit code: 0 when nothing failed, 1 when something did. */
export async function runPreflight(
  config: Config,
  options: PreflightOptions,
  output: Output,
  progress: Output,
): Promise<number> {
  const tenants = config.tenants.filter(
    ({ id }) => options.tenant === undefined || id === options.tenant,
  )
  const reports: TenantReport[] = []
  for (const tenant of tenants) {
    const tell = (area: string): unknown => progress.write(`${tenant.id}: looking at ${area}\n`)
    // oxlint-disable-next-line no-await-in-loop -- one EHR after the other, so that the progress can be read
    const findings = await checkTenant(config, tenant, tell)
    reports.push({ tenant: tenant.id, iss: tenant.iss, vendor: tenant.vendor, findings })
  }
  output.write(options.json ? reportJson(reports) : reportText(reports, options.colour))
  return isReady(reports) ? 0 : 1
}
