import { again, cause, developer, nothing, security, service } from './cause.ts'
import type { CauseTexts } from './cause.ts'

/** While the app is used: requests, answers, and who may ask. */
export const useCauses: CauseTexts = {
  FHIR_NOT_ALLOWED: cause(
    'The app asked for something that no rule of its mode allows.',
    `${developer} If the app needs it, a rule with its feature is missing in the configuration.`,
  ),
  FHIR_PARAMETER_NOT_ALLOWED: cause(
    'The app searched with a parameter that its rule does not list.',
    `${developer} If the app needs it, the parameter is missing in the rule.`,
  ),
  FHIR_SCOPE_INSUFFICIENT: cause(
    'The EHR did not grant the scope that this request needs.',
    'Compare the scopes requested with those granted, and ask the EHR team to grant what is missing.',
  ),
  FHIR_PATIENT_FOREIGN: cause(
    'The app asked about another patient than the one that is open.',
    developer,
  ),
  FHIR_ANSWER_FOREIGN: cause(
    'The EHR answered with data of another patient; nothing of it was shown.',
    'Tell the EHR team the time and the search. No other patient’s data left the server.',
  ),
  FHIR_PATIENT_MERGED: cause(
    'Part of the record still stands under an earlier number of a merged patient.',
    'Let the user read that part in the EHR; ask the EHR team to finish the merge.',
  ),
  FHIR_ANSWER_TOO_LARGE: cause(
    'The EHR’s answer was larger than is allowed.',
    'The app should ask for fewer at once; otherwise raise upstream.maxBodyBytes.',
  ),
  FHIR_EHR_FORBIDDEN: cause(
    'The EHR itself denied this request, although the scope was granted.',
    'Ask the EHR team what this user may see in the EHR.',
  ),
  FHIR_LAUNCH_BUSY: cause(
    'One launch sent more FHIR requests within a minute than `rateLimits.fhirPerLaunchPerMinute` allows.',
    'Show the app’s developers: it asks in a circle. Raise the limit only where the app needs it.',
  ),
  FHIR_EHR_BUSY: cause(
    'The EHR asked to slow down.',
    'If it repeats, ask the EHR team for the app’s limits.',
  ),
  FHIR_WRITE_UNCERTAIN: cause(
    'A change was sent and the EHR’s answer never came, so nobody knows whether it was saved.',
    'Let the user check the chart before repeating the change.',
  ),
  FHIR_WRITE_TIMEOUT: cause(
    'A change was sent and the EHR did not answer in time.',
    'Let the user check the chart before repeating the change.',
  ),
  SESSION_MISSING: cause('There was no session, or it was over.', again),
  SESSION_CROSS_SITE: cause('A page of another site sent the request.', security),
  STORE_UNAVAILABLE: cause(
    'The session store (Redis) did not answer.',
    `${service} Sessions are kept: nobody has to sign in again.`,
  ),
  AUDIT_UNAVAILABLE: cause(
    'The audit could not be written, so nothing was shown.',
    'Look at the disk of the audit directory: full, read-only or slow?',
  ),
  REQUEST_INVALID: cause('The request was not understood.', developer),
  INTERNAL: cause('Something went wrong in smart-bff itself.', service),
  wrong_patient: cause(
    'The answer or the request was about another patient than the one in context.',
    'Nothing was shown. If the app did not ask for it, tell the EHR team which search it was.',
  ),
  patient_merged: cause(
    'A record named an earlier number of this patient.',
    'Ask the EHR team to finish the merge.',
  ),
  wrong_type: cause(
    'The EHR answered with another type of resource than was asked.',
    'Tell the EHR team the time and the request.',
  ),
  wrong_id: cause(
    'The EHR answered with another resource than was asked.',
    'Tell the EHR team the time and the request.',
  ),
  no_subject: cause(
    'A record in the EHR’s answer says not whose it is.',
    'Tell the EHR team the type; such a record is not shown.',
  ),
  scope: cause(
    'A record in the EHR’s answer is outside the granted scopes.',
    'Nothing: it was not shown.',
  ),
  malformed: cause(
    'The EHR’s answer could not be read.',
    'Tell the EHR team the time and the request.',
  ),
  content_type: cause(
    'The EHR answered with something that is not FHIR JSON.',
    'Is a proxy or a sign-in page in between? Ask the network team.',
  ),
  redirect: cause(
    'The EHR answered with a redirect, which is never followed.',
    'Compare iss of the tenant with the EHR’s FHIR base.',
  ),
  link_outside: cause(
    'A link in the EHR’s answer leads outside its FHIR base.',
    'Ask the EHR team for the base URL its server is configured with.',
  ),
  dropped: cause(
    'Records that do not belong here were taken out of the answer.',
    'The app was told so. If it is frequent, tell the EHR team.',
  ),
  unreadable: cause('What was read could not be understood.', service),

  // Who may ask
  service_worker: cause('A script wanted to take the app’s requests over.', security),
  navigation: cause('Somebody opened a data address as a page.', nothing),
  cross_site: cause(
    'The request came from another site than the app.',
    'If the app is yours, see that it calls its own address. Otherwise tell the security team.',
  ),
  destination: cause('The request was of a kind that the app does not send.', security),
  header_missing: cause(
    'The request lacks the header that a client without a browser must send.',
    developer,
  ),
  origin: cause('The request names another origin than ours.', security),
}
