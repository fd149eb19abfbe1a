import { readdirSync, readFileSync } from 'node:fs'
import type { Vendor } from '../../src/config/schema/tenant.ts'
import type { JsonObject } from '../../src/smart/json.ts'

/** The documents of test/fixtures/vendors; its README says what they are. */
export interface VendorDocument {
  readonly vendor: Vendor
  /** Without `.json`: `smart-configuration`, `token-response`. */
  readonly name: string
  readonly source: string
  readonly date: string
  readonly document: JsonObject
}

const folder = new URL('../fixtures/vendors/', import.meta.url)

export const vendorsWithDocuments: readonly Vendor[] = [
  'epic',
  'oracle',
  'athena',
  'veradigm',
  'meditech',
  'medplum',
]

export const vendorDocuments: readonly VendorDocument[] = vendorsWithDocuments.flatMap((vendor) =>
  readdirSync(new URL(`${vendor}/`, folder)).map((file) => ({
    ...(JSON.parse(readFileSync(new URL(`${vendor}/${file}`, folder), 'utf8')) as Omit<
      VendorDocument,
      'vendor' | 'name'
    >),
    vendor,
    name: file.replace('.json', ''),
  })),
)

/** Throws when there is none. */
export function vendorDocument(vendor: Vendor, name: string): JsonObject {
  const found = vendorDocuments.find((one) => one.vendor === vendor && one.name === name)
  if (found === undefined) throw new Error(`no ${name} of ${vendor}`)
  return found.document
}
