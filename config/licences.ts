import { argv, stderr } from 'node:process'
import satisfies from 'spdx-satisfies'
import { readLock, sbomOf, type Sbom } from './sbom.ts'

/**
 * Whether everything that ships may be given to a hospital under the terms of its licence: part of `npm run check`.
 * Permissive licences only; a new one is read by a person before it is added here.
 */
export const permitted = [
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'ISC',
  'MIT',
  // tslib's and argparse's family: permissive, with the notice kept.
  'PSF-2.0',
  'Python-2.0',
]

/** One sentence for each component whose licence is not permitted. */
export function licenceFaults({ components }: Pick<Sbom, 'components'>): string[] {
  return components.flatMap(({ purl, licenses }) =>
    licenses
      .filter(({ expression }) => !isPermitted(expression))
      .map(({ expression }) => `${purl}: the licence ${expression} is not permitted`),
  )
}

function isPermitted(expression: string): boolean {
  try {
    return satisfies(expression, permitted)
  } catch {
    // Not an SPDX expression ("SEE LICENSE IN …", NOASSERTION): a person has to look.
    return false
  }
}

if (argv[1] === import.meta.filename) {
  const faults = licenceFaults(sbomOf(readLock()))
  for (const fault of faults) stderr.write(`${fault}\n`)
  process.exitCode = faults.length === 0 ? 0 : 1
}
