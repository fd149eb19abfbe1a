/** What is measured: LOINC code, UCUM unit, the reference range and how a healthy adult's values spread. */
export interface Measure {
  readonly code: string
  readonly display: string
  readonly unit: string
  readonly ucum: string
  readonly mean: number
  readonly deviation: number
  readonly decimals: number
  readonly low?: number
  readonly high?: number
}

const measure = (
  code: string,
  display: string,
  [unit, ucum]: readonly [string, string],
  [mean, deviation, decimals]: readonly [number, number, number],
  [low, high]: readonly [number?, number?] = [],
): Measure => ({
  code,
  display,
  unit,
  ucum,
  mean,
  deviation,
  decimals,
  ...(low === undefined ? {} : { low }),
  ...(high === undefined ? {} : { high }),
})

const mgdl = ['mg/dL', 'mg/dL'] as const
const mmoll = ['mmol/L', 'mmol/L'] as const
const perMinute = ['beats/minute', '/min'] as const

export const vitals = {
  systolic: measure('8480-6', 'Systolic blood pressure', ['mmHg', 'mm[Hg]'], [118, 7, 0]),
  diastolic: measure('8462-4', 'Diastolic blood pressure', ['mmHg', 'mm[Hg]'], [74, 5, 0]),
  heartRate: measure('8867-4', 'Heart rate', perMinute, [72, 6, 0], [60, 100]),
  weight: measure('29463-7', 'Body weight', ['kg', 'kg'], [70, 0.6, 1]),
  height: measure('8302-2', 'Body height', ['cm', 'cm'], [170, 0, 0]),
  temperature: measure('8310-5', 'Body temperature', ['°C', 'Cel'], [36.7, 0.2, 1], [36, 37.5]),
  saturation: measure('59408-5', 'Oxygen saturation', ['%', '%'], [98, 0.8, 0], [94, 100]),
} satisfies Record<string, Measure>

export const laboratory = {
  sodium: measure('2951-2', 'Sodium', mmoll, [140, 1.6, 0], [136, 145]),
  potassium: measure('2823-3', 'Potassium', mmoll, [4.2, 0.25, 1], [3.5, 5.1]),
  chloride: measure('2075-0', 'Chloride', mmoll, [102, 1.8, 0], [98, 107]),
  bicarbonate: measure('2028-9', 'Carbon dioxide, total', mmoll, [25, 1.4, 0], [22, 29]),
  urea: measure('3094-0', 'Urea nitrogen', mgdl, [14, 2.4, 0], [7, 20]),
  creatinine: measure('2160-0', 'Creatinine', mgdl, [0.85, 0.07, 2], [0.5, 1.2]),
  glucose: measure('2345-7', 'Glucose', mgdl, [92, 8, 0], [70, 99]),
  a1c: measure('4548-4', 'Hemoglobin A1c', ['%', '%'], [5.3, 0.2, 1], [4, 5.6]),
  hemoglobin: measure('718-7', 'Hemoglobin', ['g/dL', 'g/dL'], [13.8, 0.5, 1], [12, 16]),
  leukocytes: measure('6690-2', 'Leukocytes', ['10*3/uL', '10*3/uL'], [6.8, 0.9, 1], [4, 11]),
  platelets: measure('777-3', 'Platelets', ['10*3/uL', '10*3/uL'], [245, 22, 0], [150, 400]),
  cholesterol: measure('2093-3', 'Cholesterol', mgdl, [182, 11, 0], [0, 200]),
  hdl: measure('2085-9', 'HDL cholesterol', mgdl, [54, 5, 0], [40, 90]),
  ldl: measure('13457-7', 'LDL cholesterol (calculated)', mgdl, [104, 11, 0], [0, 130]),
  triglycerides: measure('2571-8', 'Triglycerides', mgdl, [116, 18, 0], [0, 150]),
  tsh: measure('3016-3', 'Thyrotropin', ['mIU/L', 'm[IU]/L'], [2.1, 0.4, 2], [0.4, 4.5]),
  inr: measure('6301-6', 'INR', ['INR', '{INR}'], [2.5, 0.35, 1], [2, 3]),
  ntProBnp: measure('33762-6', 'NT-proBNP', ['pg/mL', 'pg/mL'], [1450, 320, 0], [0, 450]),
  ferritin: measure('2276-4', 'Ferritin', ['ng/mL', 'ng/mL'], [64, 12, 0], [15, 150]),
} satisfies Record<string, Measure>

export type LaboratoryName = keyof typeof laboratory
export type VitalName = keyof typeof vitals

/** Panels as they are reported together. */
export const panels = {
  metabolic: {
    code: '51990-0',
    display: 'Basic metabolic panel - Blood',
    of: ['sodium', 'potassium', 'chloride', 'bicarbonate', 'urea', 'creatinine', 'glucose'],
  },
  blood: {
    code: '58410-2',
    display: 'CBC panel - Blood by Automated count',
    of: ['hemoglobin', 'leukocytes', 'platelets'],
  },
  lipids: {
    code: '57698-3',
    display: 'Lipid panel with direct LDL - Serum or Plasma',
    of: ['cholesterol', 'hdl', 'ldl', 'triglycerides'],
  },
  a1c: { code: '4548-4', display: 'Hemoglobin A1c/Hemoglobin.total in Blood', of: ['a1c'] },
  thyroid: {
    code: '3016-3',
    display: 'Thyrotropin [Units/volume] in Serum or Plasma',
    of: ['tsh'],
  },
  inr: { code: '6301-6', display: 'INR in Platelet poor plasma by Coagulation assay', of: ['inr'] },
  heart: {
    code: '33762-6',
    display: 'Natriuretic peptide.B prohormone N-Terminal',
    of: ['ntProBnp'],
  },
  iron: { code: '2276-4', display: 'Ferritin [Mass/volume] in Serum or Plasma', of: ['ferritin'] },
} as const satisfies Record<
  string,
  { code: string; display: string; of: readonly LaboratoryName[] }
>

export type PanelName = keyof typeof panels
