/**
 * Every event of the application log, with its fields: there are no others. Each field has a form, and what does not
 * fit the form is not printed, so that neither a patient's data nor a secret has a place here (DESIGN rules 1, 9).
 * For what happened to a launch the audit is the place; this log is about the process.
 */
export const logEvents = {
  'process.started': { version: 'word', node: 'word', development: 'flag', tenants: 'number' },
  'process.draining': { signal: 'word' },
  'process.stopped': { signal: 'word', ms: 'number' },
  'config.reloaded': { count: 'number' },
  'config.refused': { reason: 'word', count: 'number' },
  'process.crashed': { error: 'error' },
  'request.failed': {
    request: 'incident',
    route: 'route',
    tenant: 'word',
    status: 'number',
    error: 'error',
  },
  'launch.failed': { request: 'incident', tenant: 'word', mode: 'word', error: 'error' },
  'ehr.fault': { tenant: 'word', operation: 'word', status: 'number', error: 'error' },
  'ehr.circuit': { tenant: 'word', state: 'word' },
  'store.embedded': { reason: 'word' },
  'store.fault': { operation: 'word', reason: 'word', error: 'error' },
  'audit.failing': { code: 'word', error: 'error' },
  'audit.recovered': { refused: 'number' },
  'audit.repaired': { reason: 'word', count: 'number' },
  'audit.checkpoint_failed': { code: 'word', error: 'error' },
  'audit.checkpoint': { origin: 'word', records: 'number', head: 'word', signature: 'word' },
  'audit.copy': { copy: 'word', state: 'word', code: 'word', count: 'number' },
  'audit.retention': { code: 'word' },
  'tracing.failing': { reason: 'word', error: 'error' },
  'tracing.recovered': { count: 'number' },
  'staff.fault': { request: 'incident', operation: 'word', error: 'error' },
  'readiness.changed': { ready: 'flag', reason: 'word' },
} as const satisfies Record<string, Readonly<Record<string, FieldForm>>>

/**
 * `word`: a token without spaces, at most 128 characters: an identifier or a code of our own.
 * `route`: a route's pattern as registered (`/fhir/:launch/*`), never the address that was asked for.
 * `error`: anything that was thrown; printed by `errorFields`, never with its text.
 */
export type FieldForm = 'word' | 'number' | 'flag' | 'incident' | 'route' | 'error'

interface FieldTypes {
  readonly word: string
  readonly number: number
  readonly flag: boolean
  readonly incident: string
  readonly route: string
  readonly error: unknown
}

type Table = typeof logEvents
export type LogEventName = keyof Table

/** One member of the union for each row of the table. */
export type LogEvent = {
  [Name in LogEventName]: { readonly event: Name } & {
    readonly [Field in keyof Table[Name]]?: Table[Name][Field] extends FieldForm
      ? FieldTypes[Table[Name][Field]] | undefined
      : never
  }
}[LogEventName]
