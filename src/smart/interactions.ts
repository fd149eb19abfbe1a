import type { ScopeAction } from './scopes.ts'

/** FHIR's interaction codes, as far as smart-bff knows them (FHIR R4 http.html; fhir-access-and-audit.md 1.12). */
export type Interaction =
  | 'read'
  | 'vread'
  | 'history-instance'
  | 'history-type'
  | 'create'
  | 'update'
  | 'patch'
  | 'delete'
  | 'search-type'
  | 'batch'
  | 'transaction'
  | 'operation'
  | 'capabilities'

/** SMART App Launch 2.2, scopes: what each interaction on a type needs. Batches and operations have no letter. */
export const scopeAction: Readonly<Record<Interaction, ScopeAction | undefined>> = {
  read: 'r',
  vread: 'r',
  'history-instance': 'r',
  'history-type': 's',
  create: 'c',
  update: 'u',
  patch: 'u',
  delete: 'd',
  'search-type': 's',
  batch: undefined,
  transaction: undefined,
  operation: undefined,
  capabilities: undefined,
}

export function isWrite(interaction: Interaction): boolean {
  return (
    interaction === 'create' ||
    interaction === 'update' ||
    interaction === 'patch' ||
    interaction === 'delete'
  )
}

/** FHIR R4 datatypes, id. */
export const idPattern = /^[A-Za-z0-9.-]{1,64}$/

export function isId(text: string): boolean {
  return idPattern.test(text) && text !== '.' && text !== '..'
}
