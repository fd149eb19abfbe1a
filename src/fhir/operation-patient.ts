import { resourceTypes } from '../smart/tables/resource-types.ts'

/**
 * Whom the parameters of an operation are about, in a query as in a Parameters body. What an EHR's own operation means
 * by a name nobody can know, so names and values that may speak of a patient speak of the one in context or are refused.
 */

/** Whatever the operation: their value is the patient in context or nobody. */
const patientName =
  /^_?(?:patient|subject|beneficiary|individual|member|person|candidate|for)s?(?:[-_]?(?:id|ids|ref|reference|references))?$/i
/** An identifier may be anybody's. */
const identifierName = /identifier|^mrns?$/i

export function isAboutAnother(name: string, text: string, patient: string): boolean {
  if (identifierName.test(name)) return true
  const own = text === patient || text === `Patient/${patient}`
  if (patientName.test(name) && !own) return true
  return namesSomebodyElse(text, patient)
}

/** Other patients (`Patient/P,Q` too), groups of them, and searches, which may find anybody; escapes do not hide them. */
export function namesSomebodyElse(text: string, patient: string): boolean {
  let form = text
  for (let layer = 0; layer < 4; layer += 1) {
    const named = [...form.matchAll(/(?:^|[^A-Za-z])patient\/([^\s/?#"'<>)\]]*)/gi)]
    if (named.some(([, id]) => id !== patient)) return true
    if (/(?:^|[^A-Za-z])group\//i.test(form)) return true
    if (/[?&;](?:[a-z_.:-]*[._:])?(?:patient|subject|_id)(?:[:.][^=&]*)?=/i.test(form)) return true
    const searched = [...form.matchAll(/(?<![A-Za-z])([A-Za-z]{1,64})\?/g)]
    if (searched.some(([, type = '']) => resourceTypes.has(type))) return true
    const plain = unescaped(form)
    if (plain === form) return false
    form = plain
  }
  return true
}

function unescaped(text: string): string {
  return text.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
}
