import type { Resource } from '../fhir/types.ts'
import type { Coded } from './codes.ts'
import { systems } from './codes.ts'
import type { Random } from './random.ts'

/** What every builder needs: the dice, the clock, and where the resources go. */
export interface Drawing {
  readonly random: Random
  readonly now: Date
  /** Keeps a resource; `owner` is the patient it is about, absent for patient-free types. */
  readonly keep: <T extends Resource>(resource: T, owner?: string) => T & { id: string }
}

export const dayMs = 86_400_000

/** Everything says that it is synthetic: in machine-readable tags, and in the EHR page's header. */
export const syntheticMeta = {
  security: [
    {
      system: 'http://terminology.hl7.org/CodeSystem/v3-ActReason',
      code: 'HTEST',
      display: 'test health data',
    },
  ],
  tag: [{ system: 'urn:smart-bff:sandbox', code: 'synthetic', display: 'Synthetic data' }],
}

export const concept = (coded: Coded) => ({
  text: coded.text,
  coding: coded.coding.map(([system, code, display]) => ({
    system: systems[system],
    code,
    display,
  })),
})

export const hl7 = (system: string, code: string, display: string) => ({
  coding: [{ system: `http://terminology.hl7.org/CodeSystem/${system}`, code, display }],
})

export const daysAgo = (now: Date, days: number): Date => new Date(now.getTime() - days * dayMs)

/** An instant as FHIR dateTime, without milliseconds. */
export const instant = (at: Date): string => at.toISOString().replace(/\.\d+Z$/, 'Z')

export const day = (at: Date): string => at.toISOString().slice(0, 10)

export const rounded = (value: number, decimals: number): number => Number(value.toFixed(decimals))
