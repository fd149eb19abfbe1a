import { again, cause, nothing, security } from './cause.ts'
import type { CauseTexts } from './cause.ts'

/** How launches end, and what this site, the audit and the process say of themselves. */
export const endCauses: CauseTexts = {
  logout: cause('The user closed the app.', nothing),
  other_user: cause(
    'Another user signed in in the same browser.',
    'Nothing is wrong: a shared workstation changed hands.',
  ),
  superseded: cause('Another patient was opened.', nothing),
  new_patient: cause(
    'Another patient was opened, and this tenant keeps one open at a time.',
    nothing,
  ),
  launch_limit: cause(
    'More charts were open in one browser than are kept; the oldest was closed.',
    'Let the user close charts, or raise session.launchesPerBrowser.',
  ),
  reauthorized: cause('The user authorized the app again.', nothing),
  renewed: cause('The launch took the place of an earlier one.', nothing),
  record_missing: cause(
    'The session’s record is not in the store any more.',
    `${again} If it is frequent, look at Redis: memory, evictions, a failover?`,
  ),
  idle: cause('Nobody used the app for a while.', again),
  absolute: cause('The longest time of a session was over.', again),
  staff: cause(
    'A member of the staff ended it.',
    'The order stands under the same incident number.',
  ),
  account_compromised: cause(
    'Ended by order: an account was compromised.',
    'Let the user sign in at the EHR anew.',
  ),
  device_lost: cause('Ended by order: a device was lost.', again),
  incident: cause(
    'Ended by order: a security incident.',
    'Ask whoever ordered it before anybody goes on.',
  ),
  key_compromised: cause('Ended by order: a key was compromised.', again),
  left_hospital: cause(
    'Ended by order: the user has left the hospital.',
    'Nothing: access is over.',
  ),
  maintenance: cause('Ended by order: maintenance.', again),
  requested: cause('Ended by order: the user asked for it.', again),

  // Tokens
  no_refresh_token: cause(
    'The EHR gave no refresh token, so the launch ends with its access token.',
    'Ask for online_access or offline_access, and ask the EHR team to allow it.',
  ),
  patient_changed: cause(
    'The EHR’s renewed token is for another patient.',
    `${again} Tell the EHR team the time.`,
  ),
  user_changed: cause(
    'The EHR’s renewed token is for another user.',
    `${again} Tell the EHR team the time.`,
  ),
  scope_narrowed: cause(
    'The EHR’s renewed token allows less than before.',
    'Compare the scopes, and ask the EHR team.',
  ),
  discovery: cause(
    'The EHR’s SMART configuration could not be read.',
    'See on the tenants page when it last was.',
  ),
  fault: cause(
    'The EHR failed, or did not answer.',
    'It is tried again. See the tenants page if it goes on.',
  ),
  revocation_unsupported: cause(
    'The EHR has no revocation endpoint, so the token ends by itself.',
    nothing,
  ),

  // This site
  no_role: cause(
    'The account has no role for what it asked.',
    'Compare its groups with operations.staff.roles.',
  ),
  not_signed_in: cause('Somebody without a session asked for a page of the staff.', nothing),
  sign_in_invalid: cause(
    'A sign-in of the staff did not succeed.',
    'If it repeats, ask who tries. Compare the identity provider’s registration.',
  ),
  session_over: cause('The session of a member of the staff was over.', nothing),
  form_foreign: cause(
    'A form of another site was sent to the staff site.',
    'Tell the security team.',
  ),

  // The audit and the process
  first_start: cause('The log of this replica begins here.', nothing),
  closed: cause('The log was closed in order.', nothing),
  not_closed: cause(
    'The process ended without closing its log: a crash, a kill or a power cut.',
    'Look why. Records after the last checkpoint may be missing.',
  ),
  files_gone: cause(
    'All files of this replica were gone; its log goes on behind their last checkpoint.',
    'Look for the record that retention removed each. Without one, tell the security team.',
  ),
  torn_line: cause(
    'A record was half written when the process ended.',
    'It was set aside beside the file; nothing was answered for it.',
  ),
  records_missing: cause(
    'Records under a checkpoint are missing.',
    'Treat it as tampering: keep the disk, tell the security team.',
  ),
  chain_unreadable: cause(
    'The end of the log could not be read.',
    'Run smart-bff audit verify and keep the files.',
  ),
  repeated: cause(
    'The same was refused many times within a minute; the count is in the record.',
    security,
  ),
  retention: cause('The file is older than it has to be kept.', nothing),
  legal_hold: cause(
    'The file is kept because of a legal hold.',
    'Remove the file legal-hold from the audit directory when the hold is over.',
  ),
  SIGTERM: cause('The process was asked to stop.', nothing),
  SIGINT: cause('The process was stopped by hand.', nothing),
}
