/** Real codes from public terminologies, with the display a clinician would expect. */
export interface Coded {
  readonly text: string
  readonly coding: readonly (readonly [system: System, code: string, display: string])[]
}

export type System = keyof typeof systems

export const systems = {
  loinc: 'http://loinc.org',
  snomed: 'http://snomed.info/sct',
  rxnorm: 'http://www.nlm.nih.gov/research/umls/rxnorm',
  icd10: 'http://hl7.org/fhir/sid/icd-10-cm',
  cvx: 'http://hl7.org/fhir/sid/cvx',
  local: 'urn:oid:1.2.36.146.595.217.0.1',
} as const

const dual = (text: string, snomed: string, icd10: string): Coded => ({
  text,
  coding: [
    ['snomed', snomed, text],
    ['icd10', icd10, text],
  ],
})

export const problems = {
  diabetes: dual('Type 2 diabetes mellitus', '44054006', 'E11.9'),
  hypertension: dual('Essential hypertension', '59621000', 'I10'),
  heartFailure: dual('Congestive heart failure', '42343007', 'I50.9'),
  kidneyDisease: dual('Chronic kidney disease stage 3', '433144002', 'N18.30'),
  fibrillation: dual('Atrial fibrillation', '49436004', 'I48.91'),
  asthma: dual('Asthma', '195967001', 'J45.909'),
  hyperlipidemia: dual('Hyperlipidemia', '55822004', 'E78.5'),
  hypothyroidism: dual('Hypothyroidism', '40930008', 'E03.9'),
  migraine: dual('Migraine', '37796009', 'G43.909'),
  depression: dual('Recurrent major depression', '66344007', 'F33.9'),
  copd: dual('Chronic obstructive pulmonary disease', '13645005', 'J44.9'),
  osteoarthritis: dual('Osteoarthritis', '396275006', 'M19.90'),
  backPain: dual('Low back pain', '279039007', 'M54.50'),
  otitisMedia: dual('Otitis media', '65363002', 'H66.90'),
  breastCancerHistory: dual('History of malignant neoplasm of breast', '429087003', 'Z85.3'),
  reflux: dual('Gastroesophageal reflux disease', '235595009', 'K21.9'),
  ironDeficiency: dual('Iron deficiency anemia', '87522002', 'D50.9'),
} satisfies Record<string, Coded>

const drug = (text: string, code: string): Coded => ({ text, coding: [['rxnorm', code, text]] })

export const drugs = {
  metformin: drug('Metformin hydrochloride 500 MG Oral Tablet', '861007'),
  lisinopril: drug('Lisinopril 10 MG Oral Tablet', '314076'),
  atorvastatin: drug('Atorvastatin 20 MG Oral Tablet', '617310'),
  amlodipine: drug('Amlodipine 5 MG Oral Tablet', '197361'),
  warfarin: drug('Warfarin sodium 5 MG Oral Tablet', '855332'),
  furosemide: drug('Furosemide 40 MG Oral Tablet', '313988'),
  metoprolol: drug('24 HR metoprolol succinate 50 MG Extended Release Oral Tablet', '866436'),
  levothyroxine: drug('Levothyroxine', '10582'),
  albuterol: drug('Albuterol', '435'),
  tiotropium: drug('Tiotropium', '69120'),
  sumatriptan: drug('Sumatriptan', '37418'),
  sertraline: drug('Sertraline', '36437'),
  amoxicillin: drug('Amoxicillin', '723'),
  omeprazole: drug('Omeprazole', '7646'),
  ferrousSulfate: drug('Ferrous sulfate', '24947'),
} satisfies Record<string, Coded>

const substance = (text: string, code: string): Coded => ({
  text,
  coding: [['snomed', code, text]],
})

export const substances = {
  penicillin: substance('Penicillin', '764146007'),
  peanut: substance('Peanut', '762952008'),
  ibuprofen: substance('Ibuprofen', '387207008'),
  latex: substance('Latex', '111088007'),
  none: substance('No known allergy', '716186003'),
} satisfies Record<string, Coded>

export const reactions = {
  hives: substance('Hives', '126485001'),
  anaphylaxis: substance('Anaphylaxis', '39579001'),
  bronchospasm: substance('Bronchospasm', '4386001'),
  rash: substance('Rash', '271807003'),
} satisfies Record<string, Coded>

const vaccine = (text: string, code: string): Coded => ({ text, coding: [['cvx', code, text]] })

export const vaccines = {
  influenza: vaccine('Influenza, seasonal, injectable, preservative free', '140'),
  tdap: vaccine('Tdap', '115'),
  pneumococcal: vaccine('Pneumococcal polysaccharide PPV23', '33'),
  mmr: vaccine('MMR', '03'),
  varicella: vaccine('Varicella', '21'),
  dtap: vaccine('DTaP', '20'),
  covid: vaccine('COVID-19, mRNA, LNP-S, PF, 30 mcg/0.3 mL dose', '208'),
} satisfies Record<string, Coded>
