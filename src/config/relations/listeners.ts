import { isIP } from 'node:net'
import type { Config } from '../schema/config.ts'
import type { Draft } from '../draft.ts'
import { type Finding, type Path, quote } from '../fault.ts'

/** Two listeners cannot share a port; port 0 means any free one. */
export function listenersApart({ listen, operations }: Draft): Finding[] {
  const listeners: { path: Path; port: number | undefined }[] = [
    { path: ['listen', 'port'], port: listen?.port },
    { path: ['operations', 'listen', 'port'], port: operations?.listen.port },
    { path: ['operations', 'staff', 'listen', 'port'], port: operations?.staff?.listen?.port },
  ]
  return listeners.flatMap(({ path, port }, index) => {
    const taken = listeners.slice(0, index).some((earlier) => earlier.port === port)
    if (port === undefined || port === 0 || !taken) return []
    return [{ path, found: String(port), expected: 'a port that no other listener has' }]
  })
}

/** An entry says whose X-Forwarded-For is believed: an address or a network, never a count of hops. */
export function proxiesAreAddresses({ trustProxy = [], development }: Draft): Finding[] {
  return trustProxy.flatMap((entry, index) => {
    const [address = '', prefix, ...more] = entry.split('/')
    const bits = { 0: 0, 4: 32, 6: 128 }[isIP(address)] ?? 0
    const wellFormed =
      bits > 0 && more.length === 0 && (prefix === undefined || isPrefix(prefix, bits))
    const path = ['trustProxy', index]
    if (!wellFormed) {
      return [{ path, found: quote(entry), expected: 'an IP address or a network in CIDR form' }]
    }
    if (prefix !== '0' || development === true) return []
    return [{ path, found: quote(entry), expected: 'the networks of your proxies, not everyone' }]
  })
}

/** A trace that anybody could choose would be anybody's to fill. */
export function traceparentHasAProxy({ operations, trustProxy }: Draft): Finding[] {
  if (operations?.tracing?.accept !== true || trustProxy === undefined) return []
  if (trustProxy.length > 0) return []
  const path = ['operations', 'tracing', 'accept']
  return [{ path, found: 'true', expected: 'false, or the proxy in trustProxy' }]
}

const isPrefix = (text: string, bits: number): boolean =>
  /^(0|[1-9]\d{0,2})$/.test(text) && Number(text) <= bits

/** scrypt in PHC form: $scrypt$ln=17,r=8,p=1$<salt>$<hash>. */
const phcScrypt =
  /^\$scrypt\$ln=\d{1,2},r=\d{1,3},p=\d{1,3}\$[A-Za-z0-9+/]{16,128}\$[A-Za-z0-9+/]{32,172}$/

export function staffCanSignIn({ operations }: Draft): Finding[] {
  const staff = operations?.staff
  if (staff === undefined) return []
  const findings: Finding[] = []
  const path = ['operations', 'staff']
  if (staff.oidc === undefined && (staff.local ?? []).length === 0) {
    findings.push({ path, found: 'no way to sign in', expected: 'oidc' })
  }
  if (staff.oidc !== undefined && !givesRoles(staff.roles)) {
    findings.push({
      path: [...path, 'roles'],
      found: 'no group with a role',
      expected: 'a claim, and its values for auditor or operator',
    })
  }
  for (const [index, user] of (staff.local ?? []).entries()) {
    if (phcScrypt.test(user.passwordHash.reveal())) continue
    const expected = 'scrypt in PHC form ($scrypt$ln=17,r=8,p=1$salt$hash)'
    findings.push({
      path: [...path, 'local', index, 'passwordHash'],
      found: 'another form',
      expected,
    })
  }
  return findings
}

type Staff = NonNullable<Config['operations']['staff']>

const givesRoles = (roles: Staff['roles']): boolean =>
  roles !== undefined && roles.auditor.length + roles.operator.length > 0

/** Cookies know no ports: on one host name the app's page could send the staff's cookie (DESIGN.md, Routes). */
export function staffHasItsOwnHost({ operations, publicUrl, development }: Draft): Finding[] {
  if (operations?.staff === undefined) return []
  const path = ['operations', 'publicUrl']
  if (operations.publicUrl === undefined) {
    return [{ path, found: 'nothing', expected: 'the address of the staff site' }]
  }
  if (publicUrl === undefined || development !== false) return []
  if (new URL(publicUrl).hostname !== new URL(operations.publicUrl).hostname) return []
  const expected = 'a host name other than that of publicUrl'
  return [{ path, found: quote(operations.publicUrl), expected }]
}

export function sessionClocksOrdered({ session }: Draft): Finding[] {
  if (session === undefined || session.idleMinutes <= session.absoluteMinutes) return []
  const expected = `at most absoluteMinutes (${session.absoluteMinutes})`
  return [{ path: ['session', 'idleMinutes'], found: String(session.idleMinutes), expected }]
}

/** What is left after the drain is for finishing requests and flushing the audit. */
export function drainEndsBeforeTheLimit({ drainSeconds, shutdownSeconds }: Draft): Finding[] {
  if (drainSeconds === undefined || shutdownSeconds === undefined) return []
  if (drainSeconds < shutdownSeconds) return []
  const expected = `less than shutdownSeconds (${shutdownSeconds})`
  return [{ path: ['drainSeconds'], found: String(drainSeconds), expected }]
}
