import type { Finding } from './fault.ts'
import type { Resolution, Surroundings } from './references.ts'
import { mustBeKept } from './schema-walk.ts'
import { asMap } from './tree.ts'

const othersMayUse = 0o007

/**
 * A file with a secret is for the process's user and group alone: what any account of the machine can read, or change,
 * is no secret. Certificates may be read by everybody. With `development` nothing is judged: its keys protect nobody.
 */
export function judgeFileModes(
  { tree, files }: Pick<Resolution, 'tree' | 'files'>,
  { modeOf }: Pick<Surroundings, 'modeOf'>,
): Finding[] {
  if (modeOf === undefined || asMap(tree)['development'] === true) return []
  return files.flatMap(({ path, file }) => {
    const mode = modeOf(file)
    if (mode === undefined || (mode & othersMayUse) === 0 || !mustBeKept(path)) return []
    const octal = (mode & 0o777).toString(8).padStart(4, '0')
    const found = `the file ${file} with mode ${octal}, which is open to every user`
    return [{ path, found, expected: 'mode 0400 or 0440, for the user of smart-bff' }]
  })
}
