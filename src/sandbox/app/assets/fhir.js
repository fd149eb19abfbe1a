// Reading FHIR through the helper, and reading what came.

/** A read: the resource, or the helper's error. */
export async function read(bff, path, signal) {
  const answer = await bff.fhir(path, { signal })
  return answer.json()
}

/** One page of a search: `{ resources, withheld, total, next }`. `path` may be the next link of the page before. */
export async function searchPage(bff, path, type, signal) {
  const bundle = await read(bff, path, signal)
  const entries = (bundle.entry ?? []).filter((entry) => entry.resource)
  const next = bundle.link?.find((link) => link.relation === 'next')?.url ?? null
  return {
    resources: entries.map((entry) => entry.resource).filter((each) => each.resourceType === type),
    // An outcome inside a Bundle says that something was left out.
    withheld: entries.some(({ resource }) => resource.resourceType === 'OperationOutcome'),
    total: bundle.total ?? null,
    next,
  }
}

/**
 * All pages of a search, for lists in which a missing entry could harm. `complete` is false where the record is longer
 * than `pagesMax` pages, or where the answer says that entries were left out.
 */
export async function searchAll(bff, path, type, signal, pagesMax = 10) {
  const resources = []
  let withheld = false
  let next = path
  for (let page = 0; page < pagesMax && next; page++) {
    const found = await searchPage(bff, next, type, signal)
    resources.push(...found.resources)
    withheld ||= found.withheld
    next = found.next
  }
  return { resources, complete: !next && !withheld }
}

const systems = {
  'http://snomed.info/sct': 'SNOMED CT',
  'http://loinc.org': 'LOINC',
  'http://www.nlm.nih.gov/research/umls/rxnorm': 'RxNorm',
  'http://hl7.org/fhir/sid/icd-10-cm': 'ICD-10-CM',
  'http://hl7.org/fhir/sid/icd-10': 'ICD-10',
  'http://hl7.org/fhir/sid/icd-9-cm': 'ICD-9-CM',
  'http://www.whocc.no/atc': 'ATC',
  'http://hl7.org/fhir/sid/ndc': 'NDC',
  'http://hl7.org/fhir/sid/cvx': 'CVX',
}
export const systemName = (system) => systems[system] ?? 'local code'

/**
 * What a CodeableConcept says: a label, and its codings where they say more than the label or say different things.
 * Whether two different names mean the same is for the reader to judge, so both are shown.
 */
export function describe(concept) {
  const codings = (concept?.coding ?? []).filter((coding) => coding.display || coding.code)
  const chosen = codings.find((coding) => coding.userSelected) ?? codings[0]
  const label = concept?.text || chosen?.display || chosen?.code || null
  const named = codings.filter((coding) => coding.display)
  const differ = named.some((a) => named.some((b) => !alike(a.display, b.display)))
  const says = differ || named.some((coding) => !alike(coding.display, label))
  return {
    label,
    differ,
    codings: says
      ? named.map(({ display, system, code }) => `${display} (${systemName(system)} ${code ?? ''})`)
      : [],
  }
}

/** Alike: the words of one are all among the words of the other, and both or none says no. */
function alike(a, b) {
  const [few, many] = [words(a), words(b)].toSorted((x, y) => x.size - y.size)
  return few.isSubsetOf(many) && ['no', 'not'].every((word) => few.has(word) === many.has(word))
}
const noise = new Set(['disorder', 'finding', 'product', 'substance', 'of', 'the', 'and'])
const words = (text) =>
  new Set(
    (text ?? '')
      .toLowerCase()
      .match(/[\p{L}\p{N}]+/gu)
      ?.filter((word) => !noise.has(word)),
  )

/** The codes of a concept, in any system. */
export const codesOf = (concept) => (concept?.coding ?? []).map((coding) => coding.code)
export const hasCode = (concept, ...codes) => codesOf(concept).some((code) => codes.includes(code))

/** True for resources marked as made up: v3-ActReason HTEST, or a tag that says so. */
export const isSynthetic = (resource) =>
  (resource.meta?.tag ?? []).some(
    ({ code, display }) => code === 'HTEST' || /synthetic/i.test(`${code} ${display}`),
  )
