import type { EhrAnswer } from '../../ehr/http.ts'
import { type Finding, inArea, quoted } from './finding.ts'
import type { OwnAnswer } from './judge-keys.ts'

/** The way back from the EHR: whether our callback answers, and whether the EHR knows it. Pure. */

const say = inArea('redirect')

/** A callback without state is refused by smart-bff with 400, and its refusal is told by its header. */
export function judgeCallback(redirectUri: string, answer: OwnAnswer): Finding {
  const { status } = answer
  if (answer.headers.get('smart-bff-state') === null) {
    return say.fail(
      redirectUri,
      `answered ${status}, and not as smart-bff does: is the ingress right?`,
    )
  }
  return status === 404
    ? say.fail(redirectUri, 'the running smart-bff does not know it: it has another configuration')
    : say.ok(redirectUri, 'smart-bff answers there')
}

/**
 * What the EHR said to an authorization request with a launch value of nobody's (RFC 6749 4.1.2.1): an error that comes
 * back by our redirect URI proves that it is registered; an error page instead says that it is not, or the client.
 */
export function judgeAuthorization(
  redirectUri: string,
  clientId: string,
  answer: EhrAnswer,
): Finding {
  const { status, location } = answer
  const subject = 'at the EHR'
  if (status >= 300 && status < 400 && location !== undefined) {
    const back = URL.parse(location)
    const ours = new URL(redirectUri)
    if (back?.origin === ours.origin && back.pathname === ours.pathname) {
      return say.ok(subject, 'the EHR answers to it: it is registered')
    }
    return say.ok(
      subject,
      'the EHR goes on to its sign-in, so it took client and redirect URI so far',
    )
  }
  if (status === 200) {
    return say.warn(
      subject,
      'the EHR shows a page; only a launch will tell whether it knows the redirect URI',
    )
  }
  if (status >= 500) return say.warn(subject, `the EHR answered ${status}; that tells nothing`)
  return say.fail(
    subject,
    `refused with ${status}: is client ${quoted([clientId])} registered with exactly ${redirectUri}?`,
  )
}
