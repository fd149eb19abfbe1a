import { deflateRawSync, inflateRawSync } from 'node:zlib'

/**
 * The text of a launch record made small before it is sealed: half of a record is names that all records share, and
 * tokens are written in 64 characters or fewer. DEFLATE (RFC 1951) with what every record has as its dictionary.
 *
 * The length of what is sealed then depends a little on what it says. That tells a secret only to somebody who may put
 * texts of his own beside it again and again and read their lengths in the store; a launch is written by us alone.
 */
export const pack = (text: Buffer): Buffer =>
  deflateRawSync(text, { dictionary, windowBits, chunkSize, memLevel: 5 })

/** `undefined` when it is not of this form, or more than `most` bytes. */
export function unpack(packed: Buffer, most: number): string | undefined {
  try {
    return inflateRawSync(packed, {
      dictionary,
      windowBits,
      chunkSize,
      maxOutputLength: most,
    }).toString()
  } catch {
    return undefined
  }
}

const windowBits = 12
/** Memory for a record of ordinary size: zlib's own 16 KiB cost as much as the work. */
const chunkSize = 4096

/** Part of the form: with another dictionary nothing that stands in a store opens. What is most frequent is last. */
const dictionary = Buffer.from(
  [
    '"reauth_required","related_person","other","issuer":"https://","subject":"',
    '"intent":"","styleUrl":"https://","accessExpiresAt":17,"reference":"","canonical":"","identifier":{"system":"',
    ' launch/patient launch/encounter profile offline_access online_access system/ user/ .cruds .cud .read .write .* ',
    'patient/AllergyIntolerance.rs patient/CarePlan.rs patient/CareTeam.rs patient/DiagnosticReport.rs ',
    'patient/DocumentReference.rs patient/Goal.rs patient/Immunization.rs patient/MedicationRequest.rs ',
    'patient/Procedure.rs patient/ServiceRequest.rs patient/QuestionnaireResponse.crus patient/Condition.rs ',
    '"refresh":"eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6I.eyJ',
    '{"schema":1,"launch":"","tenant":"","mode":"","state":"active","user":{"fhirUser":"Practitioner/',
    '","kind":"practitioner","patient"},"context":{"patient":"","encounter":"","fhirContext":[],"needPatientBanner":true},',
    '"scopes":{"requested":"launch openid fhirUser patient/Patient.rs patient/Observation.rs","granted":"patient/Patient.r ',
    '"},"tokens":{"access":"","receivedAt":17","accessExpiresAt":17,"refresh":""},"startedAt":17,"absoluteAt":17}',
  ].join(''),
)
