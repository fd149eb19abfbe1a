import { z } from 'zod'
import { loginName } from '../audit/person.ts'
import { launchHash } from '../audit/pseudonyms.ts'
import type { Pseudonyms } from '../audit/pseudonyms.ts'
import { mostValues } from '../audit/search-index/query.ts'
import { userNames } from '../audit/user-names.ts'
import type { UserNamesDeps } from '../audit/user-names.ts'
import { resourceTypes } from '../smart/tables/resource-types.ts'

/** What a person typed, before any of it becomes part of an address. */
const text = z.string().trim().max(300).optional()
const typedForm = z.object({
  ask: text,
  patient: text,
  user: text,
  launch: text,
  request: text,
  tenant: text,
  outcome: text,
  event: text,
  resource: text,
  around: text,
  last: text,
  from: text,
  to: text,
  zone: text,
  denied: text,
})

export interface TypedDeps {
  readonly tenants: UserNamesDeps['tenants']
  readonly pseudonyms: Pick<Pseudonyms, 'everyPatient' | 'everyUser'>
  /** Whether a user stands in the log under this name. */
  readonly isKnown: (name: string) => Promise<boolean>
}

/** The address of the search for what was typed: ids become pseudonyms under every key and in every tenant asked. */
export async function addressOf(typed: unknown, deps: TypedDeps): Promise<URLSearchParams> {
  const read = typedForm.safeParse(typed)
  const {
    patient = '',
    user = '',
    launch = '',
    request = '',
    resource = '',
    ...plain
  } = read.success ? read.data : {}
  const { tenants, pseudonyms } = deps
  const asked = tenants.filter(({ id }) => (plain.tenant ?? '') === '' || id === plain.tenant)
  const address = new URLSearchParams()
  for (const [name, value = ''] of Object.entries(plain)) if (value !== '') address.set(name, value)
  if (patient !== '') {
    const id = patient.replace(/^Patient\//, '')
    const list = asked.flatMap((tenant) => pseudonyms.everyPatient(tenant.id, id))
    address.set('patient', list.join(','))
  }
  if (user !== '') address.set('user', (await usersOf(user, asked, deps)).join(','))
  if (launch !== '') {
    address.set('launch', /^[0-9a-f]{16}$/.test(launch) ? launch : launchHash(launch))
  }
  if (request !== '') address.set('request', incidentOf(request))
  if (resource !== '') address.set('resource', typeOf(resource))
  return address
}

/** More pseudonyms than one search takes: without a tenant each has its own. */
export const tooMany = (address: URLSearchParams): boolean =>
  ['patient', 'user'].some((name) => (address.get(name) ?? '').split(',').length > mostValues)

/** A login name is asked for as such only where it stands in the log. */
async function usersOf(
  typed: string,
  tenants: TypedDeps['tenants'],
  { pseudonyms, isKnown }: TypedDeps,
): Promise<readonly string[]> {
  if (loginName.test(typed) && (await isKnown(typed))) return [typed]
  return userNames(typed, { tenants, pseudonyms })
}

/** Read out over the telephone, it is written down in many ways. */
function incidentOf(typed: string): string {
  const heard = typed.toUpperCase().replaceAll('O', '0').replaceAll(/[IL]/g, '1')
  const bare = heard.replaceAll(/[^0-9A-Z]/g, '')
  return bare.length === 10 ? `${bare.slice(0, 4)}-${bare.slice(4, 8)}-${bare.slice(8)}` : typed
}

/** `observation` is `Observation`. */
const typeOf = (typed: string): string =>
  [...resourceTypes].find((type) => type.toLowerCase() === typed.toLowerCase()) ?? typed
