import { z } from 'zod'
import type { LaunchRecord } from './record.ts'

/** The launch record as text, and back. What another release wrote in another shape is not read at all. */

export const writeRecord = (record: LaunchRecord): string => JSON.stringify(record)

export function readRecord(text: string): LaunchRecord | undefined {
  const { success, data } = recordShape.safeParse(readJson(text))
  if (!success) return undefined
  const { user, context, tokens } = data
  return {
    ...data,
    user: {
      issuer: user.issuer,
      subject: user.subject,
      fhirUser: user.fhirUser,
      kind: user.kind,
    },
    context: {
      patient: context.patient,
      encounter: context.encounter,
      fhirContext: context.fhirContext,
      intent: context.intent,
      needPatientBanner: context.needPatientBanner,
      styleUrl: context.styleUrl,
      tenant: context.tenant,
    },
    tokens: {
      access: tokens.access,
      receivedAt: tokens.receivedAt,
      accessExpiresAt: tokens.accessExpiresAt,
      refresh: tokens.refresh,
    },
  }
}

/** Whether a later release wrote it. */
export function isNewer(text: string): boolean {
  const { success, data } = z.object({ schema: z.number() }).safeParse(readJson(text))
  return success && data.schema > 1
}

export function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const text = z.string()
const time = z.number()

const recordShape = z.object({
  schema: z.literal(1),
  launch: text.min(1),
  tenant: text.min(1),
  mode: text.min(1),
  state: z.enum(['active', 'reauth_required']),
  user: z.object({
    issuer: text.optional(),
    subject: text.optional(),
    fhirUser: text.optional(),
    kind: z.enum(['practitioner', 'patient', 'related_person', 'other']).optional(),
  }),
  context: z.object({
    patient: text.optional(),
    encounter: text.optional(),
    fhirContext: z.array(
      z.object({
        reference: text.exactOptional(),
        canonical: text.exactOptional(),
        identifier: z
          .object({ system: text.exactOptional(), value: text.exactOptional() })
          .exactOptional(),
        type: text.exactOptional(),
        role: text.exactOptional(),
      }),
    ),
    intent: text.optional(),
    needPatientBanner: z.boolean(),
    styleUrl: text.optional(),
    tenant: text.optional(),
  }),
  scopes: z.object({ requested: text, granted: text }),
  tokens: z.object({
    access: text.min(1),
    receivedAt: time,
    accessExpiresAt: time.optional(),
    refresh: text.optional(),
  }),
  startedAt: time,
  absoluteAt: time,
})
