import { z } from 'zod'
import { outbound, secretHeader, webUrl } from './common.ts'

/**
 * An Audit Record Repository that takes IHE BALP AuditEvents (ITI-20). In them alone a patient stands by reference, so
 * there is none unless it is configured.
 */
const repository = z.strictObject({
  /** The repository's FHIR base. */
  url: webUrl,
  /** One Bundle of many AuditEvents, or one request each. */
  feed: z.enum(['batch', 'single']).default('batch'),
  /** A header value, `Bearer …` or `Basic …`. */
  authorization: secretHeader.optional(),
  ca: outbound.ca,
  clientCertificate: outbound.clientCertificate,
  /** Sealed batches that wait; `balp-spool` in the audit's folder when left out. */
  spool: z.string().min(1).optional(),
  spoolMegabytes: z.int().min(1).max(102_400).default(256),
})

/** Where the audit stands, how safely, how long, and where copies of it go (DESIGN.md, Stored records). */
export const audit = z.strictObject({
  directory: z.string().min(1),
  /** `fsync`: a record is on the disk, and not only with the operating system, before its answer leaves. */
  durability: z.enum(['write', 'fsync']).default('write'),
  retentionDays: z.int().min(1).max(36_500).default(2555),
  /** A file that has reached this size is followed by another part of its day. */
  maxFileMegabytes: z.int().min(1).max(4096).default(256),
  /** So long a file stays as it was written, for `grep`. */
  compressAfterDays: z.int().min(1).max(3650).default(2),
  checkpointSeconds: z.int().min(1).max(3600).default(60),
  /** The second places of each signed checkpoint: without one a log that was cut together with its own looks whole. */
  checkpoints: z
    .strictObject({
      /** A file to which notes are appended; on a disk that who can write the audit's cannot. */
      path: z.string().min(1).optional(),
      /** The newest notes of each instance, in the store. */
      store: z.boolean().default(true),
      /** `audit.checkpoint` in the application log, with its signature. */
      log: z.boolean().default(true),
    })
    .prefault({}),
  /** The newest records in the store, for the search index of every other replica. */
  stream: z.strictObject({ records: z.int().min(0).max(1_000_000).default(50_000) }).prefault({}),
  /** Every record on standard output too, for a SIEM. */
  stdout: z.boolean().default(false),
  fhir: repository.optional(),
})
