/**
 * The names that may stand in an audit record although a request brought them: FHIR's own. Whatever a stranger types
 * into a path or a query is a name only if it is in these lists or in the configuration; otherwise it could be a
 * person's (DESIGN rule 9).
 */

/** HL7 FHIR R4, codes of all standard search parameters (definitions, search-parameters) and of the search itself. */
export const searchParameters: ReadonlySet<string> = words(`
  _content _id _lastUpdated _profile _query _security _source _tag _text abatement-age
  abatement-date abatement-string abstract accession account achievement-status action active
  activity-code activity-date activity-reference actor actual actuality additive address
  address-city address-country address-postalcode address-state address-use administered-by agent
  agent-name agent-role agent-type altid appointment appointment-type asserter assessor attester
  authenticator author authored authored-on authoredon authority base base-path based-on basedon
  beneficiary birthdate body-site bodysite business-status care-manager care-team category
  characteristic characteristic-value chromosome chromosome-variant-coordinate
  chromosome-window-coordinate claim class class-type class-value classification
  classification-type clinical-status code code-value-concept code-value-date code-value-quantity
  code-value-string collected collector combo-code combo-code-value-concept
  combo-code-value-quantity combo-data-absent-reason combo-value-concept combo-value-quantity
  communication component component-code component-code-value-concept
  component-code-value-quantity component-data-absent-reason component-value-concept
  component-value-quantity composed-of composition conclusion condition confidentiality
  connection-type consentor contact container container-id container-identifier content-mode
  content-type contenttype context context-quantity context-type context-type-quantity
  context-type-value country coverage coverage-area created criteria criticality custodian data
  data-absent-reason date datetime datewritten death-date deceased definition dependent depends-on
  dependson derivation derived-from description destination destination-uri detail-udi device
  device-name diagnosis dicom-class disposition domain dose-status doseform effective
  effective-time email empty-reason encounter endpoint entered-date enterer entity entity-name
  entity-role entity-type entry episode-of-care evaluated-resource event event-date evidence
  evidence-detail exclude expansion experimental expiration-date expiry ext-context facility
  factor-override family fhirversion finding-code finding-ref focus form format formula gender
  general-practitioner given global goal group-identifier guide has-member holder id-type
  identified identifier immunization-event implicated incoming-referral individual information
  ingredient ingredient-code input-profile instance instantiates instantiates-canonical
  instantiates-uri insurance insurer intended-dispenser intended-performer intended-performertype
  intent interpreter investigation issued issuer item item-udi jurisdiction keyword kind language
  last-date length lifecycle-status link location location-period lot-number managing-entity
  manifestation manufacturer measure media medication medium member message method modality mode
  model modified monitoring-program-name monitoring-program-type monograph monograph-type
  morphology name name-language near network notes occurrence onset onset-age onset-date
  onset-info operational-status operator oraldiet order-detail organization other outcome
  output-profile owned-by owner parent part-of part-status participant participant-role
  participant-type participating-organization partof path patient payee payload payload-type
  payment-date payment-issuer payment-status payor performer performer-actor performer-function
  performer-type performing-organization period phone phonetic policy policy-holder practitioner
  predecessor prescriber prescription previous price-override primary-organization
  principalinvestigator prior-request priority probability problem procedure-udi product program
  protocol provider publisher purpose quantity questionnaire reaction reaction-date reason
  reason-code reason-given reason-not-given reason-reference received receiver recipient recorded
  recorded-date recorder reference referenceseqid referenceseqid-variant-coordinate
  referenceseqid-window-coordinate referrer related related-id related-ref relatedperson relatesto
  relation relationship replaces reporter request requester requesting-organization requestor
  requisition resource resource-profile response response-id responsible responsibleparty result
  resultingcondition results-interpreter risk role route schedule scope section security-label
  security-service sender sent series seriousness service service-category service-provider
  service-type setting severity sex signature-type signer site slot software source source-code
  source-cost source-reference source-system source-uri special-arrangement specialty specimen
  sponsor stage start start-date started status status-reason study subdetail-udi subject
  subject-type subscriber substance substance-reference subtype successor supplement supplements
  supplier support supported-profile supporting-info system target target-code target-date
  target-disease target-species target-system target-uri telecom tester testscript
  testscript-capability timestamp title topic totalgross totalnet type udi-carrier udi-di url use
  vaccine-code vaccine-type value value-concept value-date value-quantity value-string valueset
  variant-end variant-start verification-status version view when whenhandedover whenprepared
  window-end window-start
  _contained _containedType _count _elements _filter _format _getpages _getpagesoffset _has
  _include _list _offset _page _pretty _revinclude _score _since _sort _summary _total _type
`)

/** HL7 FHIR R4, Search, 3.1.1.4 modifiers. */
export const modifiers: ReadonlySet<string> = words(`
  above below contains exact identifier in iterate missing not not-in of-type recurse text
`)

/** Interactions by FHIR's codes (http.html 3.1.0), and `operation`. */
export const interactions: ReadonlySet<string> = words(`
  batch capabilities create delete history-instance history-system history-type operation patch
  read search-compartment search-system search-type transaction update vread
`)

/** Operations of FHIR R4 and US Core that an app is likely to try; others are known by the configuration. */
export const operations: ReadonlySet<string> = words(`
  $apply $closure $convert $docref $document $evaluate-measure $everything $expand $export $find
  $find-matches $graphql $lastn $lookup $match $member-match $meta $meta-add $meta-delete
  $populate $process-message $questionnaire $snapshot $stats $submit $subsumes $summary $transform
  $translate $validate $validate-code
`)

/** SMART App Launch 2.2, launch context parameters and what vendors add to them. */
export const contextNames: ReadonlySet<string> = words(`
  patient encounter fhirContext fhirUser intent need_patient_banner smart_style_url tenant
  profile id_token refresh_token
`)

function words(list: string): ReadonlySet<string> {
  return new Set(list.trim().split(/\s+/))
}
