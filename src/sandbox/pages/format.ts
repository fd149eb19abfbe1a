import type { SyntheticPatient } from '../patients/generate.ts'

/** "14 Mar 1961 (65 years)", or a plain statement that it is not known. */
export function born({ birthDate }: Pick<SyntheticPatient, 'birthDate'>, now = new Date()): string {
  if (birthDate === undefined) return 'Not recorded'
  const age = ageAt(birthDate, now)
  return `${date(birthDate)} (${age} ${age === 1 ? 'year' : 'years'})`
}

export function sex({ gender }: Pick<SyntheticPatient, 'gender'>): string {
  return gender === undefined ? 'Not recorded' : gender[0]?.toUpperCase() + gender.slice(1)
}

/** "Okafor, Amara Ngozi", as patient lists are written. */
export function listed({ name, family }: Pick<SyntheticPatient, 'name' | 'family'>): string {
  const given = name.slice(0, name.length - family.length).trim()
  return given === '' ? family : `${family}, ${given}`
}

const months = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ')

/** "14 Mar 1961" from a FHIR date or dateTime. */
export function date(value: string | undefined): string {
  const [year = '', month = '', day = ''] = (value ?? '').slice(0, 10).split('-')
  return [day.replace(/^0/, ''), months[Number(month) - 1], year].filter(Boolean).join(' ')
}

function ageAt(birthDate: string, now: Date): number {
  const [year = 0, month = 1, day = 1] = birthDate.split('-').map(Number)
  const before = now.getMonth() + 1 < month || (now.getMonth() + 1 === month && now.getDate() < day)
  return now.getFullYear() - year - (before ? 1 : 0)
}
