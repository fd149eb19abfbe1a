import { again, cause, clientSetup } from './cause.ts'
import type { CauseTexts } from './cause.ts'

/** On the way into the app: smart-bff's own words, and the EHR's (RFC 6749, OpenID Connect). */
export const launchCauses: CauseTexts = {
  LAUNCH_ISS_UNKNOWN: cause(
    'The EHR opened the app with an issuer address that is not configured.',
    'Compare the launch URL in the EHR with iss of the tenants: they must be equal character by character.',
  ),
  LAUNCH_MODE_UNKNOWN: cause(
    'The EHR opened a launch address that does not exist, or with the wrong parameters for it.',
    'Compare the launch URL in the EHR with the tenant’s launch contract.',
  ),
  LAUNCH_COOKIE_NOT_KEPT: cause(
    'The browser did not keep the cookie of the launch.',
    'Ask for the browser version and its policy on third-party cookies; the page offers a window of its own, which works at once.',
  ),
  LAUNCH_STATE_UNKNOWN: cause(
    'The sign-in came back twice, or later than ten minutes.',
    'Let the user open the app again from the chart, without the browser’s Back button.',
  ),
  LAUNCH_STATE_FOREIGN: cause(
    'The sign-in came back to another browser than the one that began it.',
    `${again} If nobody copied an address, tell the security team.`,
  ),
  LAUNCH_AUTHORIZATION_REFUSED: cause(
    'The EHR refused to authorize the app for this user.',
    'Ask the EHR team whether the user’s role may open the app, and whether the client is active.',
  ),
  LAUNCH_CALLBACK_INVALID: cause(
    'The EHR came back without what a sign-in needs.',
    'Run smart-bff preflight for this tenant and show the EHR team the incident number.',
  ),
  LAUNCH_TOKEN_REFUSED: cause('The EHR refused to exchange the code for tokens.', clientSetup),
  LAUNCH_TOKEN_INVALID: cause(
    'The EHR’s token answer cannot be accepted.',
    'Run smart-bff preflight for this tenant; the vendor’s quirks may be configured wrongly.',
  ),
  LAUNCH_IDENTITY_INVALID: cause(
    'The EHR’s proof of who is signed in (id_token) is missing or not valid.',
    'Ask the EHR team about issuer, signing keys and clock of their authorization server.',
  ),
  LAUNCH_USER_KIND: cause(
    'The user is of a kind that this mode is not for.',
    'Use the launch URL of the mode for this kind of user.',
  ),
  LAUNCH_PATIENT_MISSING: cause(
    'The EHR sent no patient, and this mode needs one.',
    'Let the user open a patient first. If one was open, ask the EHR team about the launch context.',
  ),
  LAUNCH_PATIENT_SEVERAL: cause(
    'The EHR sent several patients, and this mode needs one.',
    'Let the user choose one patient first. If one was chosen, ask the EHR team about the launch context.',
  ),
  LAUNCH_ENCOUNTER_ALONE: cause(
    'The EHR sent an encounter without its patient, and this mode needs one.',
    'Let the user open the patient’s chart first. The EHR team can add the patient to this place’s launch context.',
  ),
  LAUNCH_TENANT_PAUSED: cause(
    'The tenant is closed for maintenance by configuration.',
    'Wait until it is opened again, or take paused out of the configuration.',
  ),
  LAUNCH_REAUTHORIZED_OTHER: cause(
    'Another user or another patient came back from a re-authorization, so it was refused.',
    `${again} A shared workstation may have changed hands.`,
  ),
  LAUNCH_RATE_LIMITED: cause(
    'More launches came from one address within a minute than are allowed.',
    'If it is a hospital behind one address, raise rateLimits.launchPerMinute. Otherwise look who sends them.',
  ),
  EHR_DISCOVERY_FAILED: cause(
    'The EHR did not give its SMART configuration.',
    'See on the tenants page when it last did; ask the EHR team whether the FHIR server is up.',
  ),
  EHR_UNREACHABLE: cause(
    'No connection to the EHR.',
    'See the circuit on the tenants page. Ask the network and EHR teams: down, moved or blocked?',
  ),
  EHR_TIMEOUT: cause(
    'The EHR did not answer in time.',
    'See the latency on the overview. If only one resource type is slow, tell the EHR team which.',
  ),
  paused: cause('The tenant is closed for maintenance.', 'Wait until it is opened again.'),
  tenant_unknown: cause(
    'A launch of a tenant that is not in the configuration any more.',
    'Nothing, if the tenant was removed on purpose.',
  ),

  // What the EHR itself said (RFC 6749, OpenID Connect)
  access_denied: cause(
    'The EHR, or the user at the EHR, denied access to the app.',
    'Ask whether the user pressed Cancel. If not, ask the EHR team whether this user’s role may open the app.',
  ),
  account_selection_required: cause('The EHR wants the user to choose an account.', again),
  consent_required: cause(
    'The EHR wants a consent that nobody has given.',
    'Ask the EHR team to approve the app for all users.',
  ),
  interaction_required: cause('The EHR wants to ask the user something.', again),
  login_required: cause(
    'The user is not signed in at the EHR any more.',
    'Let the user sign in at the EHR and open the app again.',
  ),
  invalid_client: cause('The EHR does not know this client, or its secret or key.', clientSetup),
  invalid_grant: cause(
    'The EHR no longer accepts the code or the refresh token.',
    `${again} If it is frequent, ask the EHR team how long refresh tokens live.`,
  ),
  invalid_request: cause('The EHR did not understand the sign-in request.', clientSetup),
  invalid_request_object: cause('The EHR did not accept a request object.', clientSetup),
  invalid_request_uri: cause('The EHR did not accept a request address.', clientSetup),
  invalid_scope: cause(
    'The EHR does not offer, or has not approved, a scope that is asked for.',
    'Compare the scopes of the mode with the EHR’s registration of the app.',
  ),
  invalid_target: cause(
    'The EHR does not accept its own FHIR address as audience.',
    'Compare iss of the tenant with the FHIR base the EHR team names.',
  ),
  registration_not_supported: cause('The EHR offers no such registration.', clientSetup),
  request_not_supported: cause('The EHR does not support a parameter.', clientSetup),
  request_uri_not_supported: cause('The EHR does not support a parameter.', clientSetup),
  server_error: cause(
    'The EHR’s authorization server failed.',
    'Try again; if it repeats, tell the EHR team the time.',
  ),
  temporarily_unavailable: cause(
    'The EHR’s authorization server is not available.',
    'Try again in a minute; if it repeats, tell the EHR team.',
  ),
  unauthorized_client: cause('The EHR does not let this client do that.', clientSetup),
  unsupported_grant_type: cause('The EHR does not offer this way to a token.', clientSetup),
  unsupported_response_type: cause(
    'The EHR does not offer the code flow to this client.',
    clientSetup,
  ),
  unsupported_token_type: cause(
    'The EHR cannot revoke this kind of token.',
    'Nothing: the launch is over here, and the token ends by itself.',
  ),
}
