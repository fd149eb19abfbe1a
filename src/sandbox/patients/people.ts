import type { drugs, problems, reactions, substances, vaccines } from './codes.ts'
import type { LaboratoryName, PanelName, VitalName } from './measures.ts'

/** Why a test or a person would choose this patient. */
export type Trait =
  | 'long'
  | 'sparse'
  | 'empty'
  | 'conflicting'
  | 'foreign'
  | 'linked'
  | 'inactive'
  | 'child'
  | 'documents'

type Values<Name extends string> = Partial<Record<Name, readonly [start: number, end: number]>>

/** One synthetic person: what is true of them, from which the records are drawn. */
export interface Person {
  /** A stable name for tests; it appears in no record. */
  readonly key: string
  readonly given: readonly string[]
  readonly family: string
  readonly gender?: 'female' | 'male' | 'other' | 'unknown'
  readonly born?: string
  readonly active?: boolean
  readonly home?: readonly [street: string, city: string, state: string, postcode: string]
  readonly phone?: string
  readonly language?: readonly [code: string, display: string]
  readonly married?: 'M' | 'S' | 'D' | 'W'
  readonly traits: readonly Trait[]
  readonly problems?: readonly (readonly [
    keyof typeof problems,
    yearsAgo: number,
    status?: 'active' | 'resolved',
  ])[]
  readonly drugs?: readonly (readonly [
    keyof typeof drugs,
    dosage: string,
    monthsAgo: number,
    status?: 'active' | 'stopped',
  ])[]
  readonly allergies?: readonly (readonly [
    keyof typeof substances,
    reaction?: keyof typeof reactions,
    severity?: 'mild' | 'moderate' | 'severe',
  ])[]
  readonly vaccines?: readonly (readonly [keyof typeof vaccines, monthsAgo: number])[]
  /** A set of vital signs every so many days, from the first value towards the last. */
  readonly vitals?: {
    readonly everyDays: number
    readonly count: number
    readonly values?: Values<VitalName>
  }
  readonly panels?: readonly (readonly [PanelName, everyDays: number, count: number])[]
  readonly results?: Values<LaboratoryName>
  readonly visits?: number
  /** The newest visit is going on. */
  readonly here?: boolean
}

const spanish = ['es', 'Spanish'] as const

export const people: readonly Person[] = [
  {
    key: 'amara',
    given: ['Amara', 'Ngozi'],
    family: 'Okafor',
    gender: 'female',
    born: '1961-03-14',
    home: ['48 Larch Street', 'Northfield', 'MN', '55057'],
    phone: '507-555-0148',
    language: ['en', 'English'],
    married: 'M',
    traits: ['long', 'documents'],
    problems: [
      ['diabetes', 11],
      ['hypertension', 14],
      ['hyperlipidemia', 9],
      ['osteoarthritis', 4],
      ['ironDeficiency', 6, 'resolved'],
    ],
    drugs: [
      ['metformin', 'Take 2 tablets by mouth twice daily with meals', 40],
      ['lisinopril', 'Take 1 tablet by mouth once daily', 60],
      ['atorvastatin', 'Take 1 tablet by mouth at bedtime', 30],
      ['amlodipine', 'Take 1 tablet by mouth once daily', 8],
      ['ferrousSulfate', 'Take 325 mg by mouth once daily', 70, 'stopped'],
    ],
    allergies: [
      ['penicillin', 'hives', 'moderate'],
      ['latex', 'rash', 'mild'],
    ],
    vaccines: [
      ['influenza', 5],
      ['influenza', 17],
      ['covid', 6],
      ['pneumococcal', 26],
      ['tdap', 50],
    ],
    vitals: {
      everyDays: 12,
      count: 90,
      values: { systolic: [152, 131], diastolic: [92, 80], weight: [91, 84.2], height: [164, 164] },
    },
    panels: [
      ['a1c', 90, 12],
      ['metabolic', 45, 24],
      ['lipids', 180, 6],
      ['blood', 120, 9],
    ],
    results: { a1c: [8.9, 7.1], glucose: [188, 139], ldl: [151, 92], cholesterol: [238, 171] },
    visits: 14,
    here: true,
  },
  {
    key: 'bart',
    given: ['Bartholomew', 'Erik'],
    family: 'Lindqvist',
    gender: 'male',
    born: '1948-11-02',
    home: ['1207 Prairie Avenue', 'Faribault', 'MN', '55021'],
    phone: '507-555-0175',
    married: 'W',
    traits: ['long'],
    problems: [
      ['heartFailure', 5],
      ['fibrillation', 7],
      ['kidneyDisease', 3],
      ['hypertension', 22],
      ['reflux', 10],
      ['otitisMedia', 2, 'resolved'],
    ],
    drugs: [
      ['warfarin', 'Take as directed by the anticoagulation clinic', 80],
      ['furosemide', 'Take 1 tablet by mouth every morning', 44],
      ['metoprolol', 'Take 1 tablet by mouth once daily', 58],
      ['lisinopril', 'Take 1 tablet by mouth once daily', 100],
      ['omeprazole', 'Take 20 mg by mouth before breakfast', 90],
      ['atorvastatin', 'Take 1 tablet by mouth at bedtime', 61, 'stopped'],
    ],
    allergies: [['ibuprofen', 'bronchospasm', 'severe']],
    vaccines: [
      ['influenza', 4],
      ['pneumococcal', 60],
      ['covid', 5],
    ],
    vitals: {
      everyDays: 7,
      count: 120,
      values: {
        systolic: [138, 124],
        diastolic: [78, 70],
        heartRate: [92, 74],
        weight: [96, 88.4],
        height: [181, 181],
        saturation: [93, 96],
      },
    },
    panels: [
      ['inr', 14, 60],
      ['metabolic', 30, 30],
      ['heart', 90, 8],
      ['blood', 120, 8],
    ],
    results: {
      creatinine: [1.3, 1.62],
      urea: [24, 31],
      potassium: [4.6, 5],
      hemoglobin: [13.2, 12.4],
      ntProBnp: [2900, 1250],
    },
    visits: 22,
    here: true,
  },
  {
    key: 'mei',
    given: ['Mei-Ling'],
    family: 'Zhao',
    gender: 'female',
    born: '1989-07-30',
    home: ['9 Garden Court', 'Northfield', 'MN', '55057'],
    phone: '507-555-0113',
    language: ['zh', 'Chinese'],
    married: 'M',
    traits: ['foreign'],
    problems: [
      ['asthma', 19],
      ['ironDeficiency', 1],
    ],
    drugs: [
      ['albuterol', 'Inhale 2 puffs every 4 to 6 hours as needed for wheezing', 30],
      ['ferrousSulfate', 'Take 325 mg by mouth every other day', 7],
    ],
    allergies: [['peanut', 'anaphylaxis', 'severe']],
    vaccines: [
      ['influenza', 6],
      ['tdap', 22],
    ],
    vitals: { everyDays: 75, count: 12, values: { weight: [58, 59.5], height: [161, 161] } },
    panels: [
      ['blood', 90, 5],
      ['iron', 90, 5],
    ],
    results: { hemoglobin: [10.4, 12.3], ferritin: [7, 26] },
    visits: 6,
    here: true,
  },
  {
    key: 'santiago',
    given: ['Santiago'],
    family: 'Herrera Ruiz',
    gender: 'male',
    born: '1975-01-19',
    home: ['3310 County Road 28', 'Dundas', 'MN', '55019'],
    phone: '507-555-0131',
    language: spanish,
    married: 'M',
    traits: ['foreign'],
    problems: [
      ['hyperlipidemia', 6],
      ['backPain', 2],
    ],
    drugs: [['atorvastatin', 'Take 1 tablet by mouth at bedtime', 26]],
    allergies: [['none']],
    vaccines: [['influenza', 16]],
    vitals: { everyDays: 110, count: 8, values: { systolic: [134, 128], weight: [88, 86] } },
    panels: [['lipids', 180, 4]],
    results: { ldl: [168, 118], cholesterol: [251, 196], triglycerides: [210, 160] },
    visits: 5,
  },
  {
    key: 'lucia',
    given: ['Lucía', 'María'],
    family: 'Herrera Ruiz',
    gender: 'female',
    born: '1977-09-05',
    home: ['3310 County Road 28', 'Dundas', 'MN', '55019'],
    language: spanish,
    married: 'M',
    traits: [],
    problems: [['hypothyroidism', 8]],
    drugs: [['levothyroxine', 'Take 50 mcg by mouth once daily on an empty stomach', 90]],
    allergies: [['none']],
    vaccines: [['influenza', 5]],
    vitals: { everyDays: 120, count: 7, values: { weight: [67, 65], height: [158, 158] } },
    panels: [['thyroid', 120, 7]],
    results: { tsh: [7.8, 2.6] },
    visits: 4,
  },
  {
    key: 'priya',
    given: ['Priya'],
    family: 'Raman',
    gender: 'female',
    born: '1995-12-11',
    home: ['77 College Street', 'Northfield', 'MN', '55057'],
    phone: '507-555-0164',
    married: 'S',
    traits: [],
    problems: [['migraine', 7]],
    drugs: [['sumatriptan', 'Take 50 mg by mouth at onset of migraine, may repeat once', 20]],
    vaccines: [
      ['influenza', 7],
      ['covid', 18],
    ],
    vitals: { everyDays: 150, count: 5, values: { weight: [55, 56], height: [163, 163] } },
    panels: [['blood', 365, 2]],
    visits: 3,
  },
  {
    key: 'tomasz',
    given: ['Tomasz', 'Jan'],
    family: 'Wiśniewski',
    gender: 'male',
    born: '1983-05-23',
    home: ['15 Mill Road', 'Cannon Falls', 'MN', '55009'],
    phone: '507-555-0190',
    married: 'D',
    traits: [],
    problems: [
      ['depression', 4],
      ['reflux', 3],
    ],
    drugs: [
      ['sertraline', 'Take 100 mg by mouth once daily', 18],
      ['omeprazole', 'Take 20 mg by mouth before breakfast', 12],
    ],
    allergies: [['penicillin']],
    vitals: { everyDays: 60, count: 10, values: { weight: [94, 90], height: [178, 178] } },
    panels: [['metabolic', 365, 2]],
    visits: 9,
  },
  {
    key: 'noor',
    given: ['Noor'],
    family: 'Haddad',
    gender: 'female',
    born: '2019-04-08',
    home: ['9 Garden Court', 'Northfield', 'MN', '55057'],
    married: 'S',
    traits: ['child', 'foreign'],
    problems: [['otitisMedia', 1, 'resolved']],
    drugs: [['amoxicillin', 'Take 400 mg by mouth twice daily for 10 days', 9, 'stopped']],
    allergies: [['none']],
    vaccines: [
      ['dtap', 24],
      ['mmr', 24],
      ['varicella', 24],
      ['influenza', 5],
    ],
    vitals: {
      everyDays: 120,
      count: 14,
      values: {
        systolic: [88, 96],
        diastolic: [52, 58],
        heartRate: [118, 96],
        weight: [9.8, 21.4],
        height: [75, 116],
      },
    },
    visits: 8,
    here: true,
  },
  {
    key: 'leilani',
    given: ['Leilani'],
    family: 'Kealoha',
    gender: 'female',
    born: '1955-08-17',
    home: ['602 Bluff View Drive', 'Red Wing', 'MN', '55066'],
    phone: '651-555-0122',
    married: 'M',
    traits: ['documents'],
    problems: [
      ['copd', 8],
      ['breastCancerHistory', 12],
      ['hypertension', 10],
      ['osteoarthritis', 6],
    ],
    drugs: [
      ['tiotropium', 'Inhale 1 capsule once daily', 48],
      ['albuterol', 'Inhale 2 puffs every 4 to 6 hours as needed', 48],
      ['amlodipine', 'Take 1 tablet by mouth once daily', 36],
    ],
    allergies: [['penicillin', 'anaphylaxis', 'severe']],
    vaccines: [
      ['influenza', 5],
      ['pneumococcal', 40],
    ],
    vitals: {
      everyDays: 30,
      count: 24,
      values: { saturation: [94, 91], weight: [62, 59], height: [160, 160], systolic: [140, 132] },
    },
    panels: [
      ['blood', 180, 4],
      ['metabolic', 180, 4],
    ],
    visits: 11,
    here: true,
  },
  {
    key: 'trauma',
    given: [],
    family: 'Unknown Trauma Seven',
    traits: ['sparse'],
    vitals: { everyDays: 1, count: 2, values: { systolic: [96, 104], heartRate: [118, 104] } },
  },
  {
    key: 'jonah',
    given: ['Jonah'],
    family: 'Whitfield',
    gender: 'male',
    born: '2001-02-27',
    phone: '507-555-0108',
    traits: ['empty'],
  },
  {
    key: 'ingrid',
    given: ['Ingrid'],
    family: 'Sørensen',
    gender: 'female',
    born: '1940-06-21',
    home: ['21 Chapel Hill', 'Kenyon', 'MN', '55946'],
    married: 'W',
    traits: ['conflicting'],
    problems: [
      ['hypertension', 18],
      ['osteoarthritis', 15],
    ],
    drugs: [
      ['amlodipine', 'Take 1 tablet by mouth once daily', 50],
      ['levothyroxine', 'Take 75 mcg by mouth once daily', 30],
    ],
    allergies: [['none'], ['ibuprofen', 'rash', 'mild']],
    vitals: { everyDays: 60, count: 12, values: { systolic: [148, 138], weight: [61, 57] } },
    panels: [['thyroid', 180, 4]],
    visits: 7,
  },
  {
    key: 'daniel',
    given: ['Daniel', 'Tesfaye'],
    family: 'Abebe',
    gender: 'male',
    born: '1968-10-12',
    home: ['880 Division Street', 'Northfield', 'MN', '55057'],
    phone: '507-555-0156',
    married: 'M',
    traits: ['linked'],
    problems: [
      ['hypertension', 5],
      ['reflux', 1],
    ],
    drugs: [['lisinopril', 'Take 1 tablet by mouth once daily', 55]],
    allergies: [['penicillin', 'rash', 'mild']],
    vitals: { everyDays: 90, count: 9, values: { systolic: [146, 130], weight: [82, 80] } },
    panels: [['metabolic', 365, 3]],
    visits: 5,
  },
  {
    key: 'daniel-duplicate',
    given: ['Dan'],
    family: 'Abebe',
    gender: 'male',
    born: '1968-10-12',
    active: false,
    traits: ['linked', 'inactive', 'sparse'],
    allergies: [['none']],
    vitals: { everyDays: 30, count: 2 },
  },
]
