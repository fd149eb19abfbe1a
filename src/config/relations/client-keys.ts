import type { Draft } from '../draft.ts'
import type { Finding, Path } from '../fault.ts'
import { publicPartOf, readClientKey } from '../key-material.ts'
import type { Client } from '../schema/tenant.ts'

type ClientKey = Extract<Client, { auth: 'private_key_jwt' }>['keys'][number]

interface PlacedKey {
  readonly path: Path
  readonly tenantIndex: number
  readonly entry: ClientKey
}

function placedKeys(draft: Draft): PlacedKey[] {
  return draft.tenants.flatMap(({ index: tenantIndex, client }) => {
    if (client?.auth !== 'private_key_jwt') return []
    return client.keys.map((entry, index) => ({
      path: ['tenants', tenantIndex, 'client', 'keys', index],
      tenantIndex,
      entry,
    }))
  })
}

export function clientKeysFit(draft: Draft): Finding[] {
  return placedKeys(draft).flatMap(({ path, entry }) => {
    const read = readClientKey(entry.key.reveal(), entry.alg)
    if (read.ok) return []
    const expected = `${read.expected}, for ${entry.alg}`
    return [{ path: [...path, 'key'], found: read.found, expected }]
  })
}

/**
 * One JWKS serves all tenants: `kid` and key are unique across them, else one hospital's EHR could take an assertion
 * for another's client (DESIGN.md, Routes). SMART App Launch 2.2, client-confidential-asymmetric: a kid is unique in its set.
 */
export function clientKeysUnique(draft: Draft): Finding[] {
  const readable = placedKeys(draft).flatMap((placed) => {
    const read = readClientKey(placed.entry.key.reveal(), placed.entry.alg)
    return read.ok ? [{ ...placed, publicPart: publicPartOf(read.key) }] : []
  })
  return readable.flatMap((one, index) => {
    const earlier = readable.slice(0, index)
    const findings: Finding[] = []
    if (earlier.some((other) => other.entry.kid === one.entry.kid)) {
      const expected = 'a kid that no other client key has, in any tenant'
      findings.push({ path: [...one.path, 'kid'], found: one.entry.kid, expected })
    }
    const keyTaken = earlier.some(
      (other) => other.tenantIndex !== one.tenantIndex && other.publicPart === one.publicPart,
    )
    if (keyTaken) {
      const expected = 'a key of its own'
      findings.push({ path: [...one.path, 'key'], found: 'the key of another tenant', expected })
    }
    return findings
  })
}
