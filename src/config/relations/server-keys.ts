import type { Draft } from '../draft.ts'
import type { Finding, Path } from '../fault.ts'
import { readSigningKey } from '../key-material.ts'

export function keyIdsUnique({ keys }: Draft): Finding[] {
  return (['encryption', 'pseudonym'] as const).flatMap((purpose) => {
    const ids = (keys[purpose] ?? []).map(({ id }) => id)
    return ids.flatMap((id, index) => {
      if (ids.indexOf(id) === index) return []
      const expected = `an id that no other ${purpose} key has`
      return [{ path: ['keys', purpose, index, 'id'], found: id, expected }]
    })
  })
}

interface PlacedSecret {
  readonly path: Path
  readonly bytes: string
}

/** One secret, one purpose, one place (DESIGN rule 16). Compared as bytes, because base64url has spare bits. */
export function keysForOnePurpose(draft: Draft): Finding[] {
  const placed = placedSecrets(draft)
  return placed.flatMap(({ path, bytes }, index) => {
    const earlier = placed.slice(0, index).some((other) => other.bytes === bytes)
    if (!earlier) return []
    const expected = 'a secret of its own for each key (smart-bff keys new)'
    return [{ path, found: 'a secret that stands at another key too', expected }]
  })
}

function placedSecrets({ keys }: Draft): PlacedSecret[] {
  const named = (purpose: 'encryption' | 'pseudonym') =>
    (keys[purpose] ?? []).map(({ secret }, index) => ({
      path: ['keys', purpose, index, 'secret'],
      bytes: decode(secret.reveal()),
    }))
  const session = (keys.session ?? []).map((secret, index) => ({
    path: ['keys', 'session', index],
    bytes: decode(secret.reveal()),
  }))
  const signing = keys.signing === undefined ? undefined : readSigningKey(keys.signing.reveal())
  const seed = signing?.ok === true ? signing.key.export({ format: 'jwk' }).d : undefined
  const signed = seed === undefined ? [] : [{ path: ['keys', 'signing'], bytes: decode(seed) }]
  return [...named('encryption'), ...session, ...named('pseudonym'), ...signed]
}

const decode = (text: string): string => Buffer.from(text, 'base64url').toString('hex')

export function signingKeyFits({ keys }: Draft): Finding[] {
  if (keys.signing === undefined) return []
  const read = readSigningKey(keys.signing.reveal())
  if (read.ok) return []
  return [{ path: ['keys', 'signing'], found: read.found, expected: read.expected }]
}
