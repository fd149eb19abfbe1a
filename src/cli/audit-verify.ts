import { createPublicKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { readKeptNotes } from '../audit/copies/kept-notes.ts'
import { instancesOf, verifyAudit } from '../audit/verify.ts'
import type { LogReport, VerificationFault } from '../audit/verify.ts'
import type { FaultKind } from '../audit/verify-line.ts'

/** `smart-bff audit verify`: proves the audit files whole, or names the first broken record. */
export interface AuditVerifyArguments {
  readonly directory: string
  /** PEM: the public key, or the private signing key of the configuration; also several, one after the other. */
  readonly key: string
  readonly instance?: string | undefined
  /** A file of checkpoints that were kept elsewhere, as notes or as lines of the application log. */
  readonly kept?: { readonly name: string; readonly text: string } | undefined
  /** Of the configured second places. */
  readonly collected?: string | undefined
}

export interface Output {
  write(text: string): unknown
}

/**
 * Answers the exit code: 0 when everything is whole; 1 when not, when there is nothing that could be, or when a file of
 * checkpoints was given and nothing could be compared with it.
 */
export async function runAuditVerify(args: AuditVerifyArguments, output: Output): Promise<number> {
  const { directory, instance, kept, collected = '' } = args
  const given = readKeptNotes(kept?.text ?? '')
  const keptNotes = [given, collected].join('\n')
  const publicKey = readPublicKeys(args.key)
  const { files, logs } = await verifyAudit({ directory, publicKey, instance, keptNotes })
  if (files === 0 && logs.length === 0) output.write(`No audit files in ${directory}.\n`)
  for (const log of logs) output.write(reportOf(log, keptNotes !== '\n'))
  const compared = kept === undefined || instancesOf(given, instance).length > 0
  if (!compared) output.write(`NOT COMPARED: no checkpoint was found in ${kept.name}.\n`)
  return logs.length > 0 && compared && logs.every((log) => log.faults.length === 0) ? 0 : 1
}

/** A key that signed before the one of today stays needed for the files of its time. */
function readPublicKeys(text: string): readonly KeyObject[] {
  const blocks = text.match(/-----BEGIN [A-Z ]+-----[^-]+-----END [A-Z ]+-----/g) ?? [text]
  return blocks.map((block) => createPublicKey(block))
}

/** Before anything is verified with it: another file is a slip of whoever typed its name. */
export function holdsKeys(text: string): boolean {
  try {
    return readPublicKeys(text).length > 0
  } catch {
    return false
  }
}

/** `compares`: with checkpoints that were kept elsewhere; a log that none of them is of is as whole as it says itself. */
function reportOf(log: LogReport, compares: boolean): string {
  const [first, ...others] = log.faults
  if (first !== undefined) {
    const more = others.map((fault) => `  then ${placeOf(fault)}: ${sentences[fault.kind]}\n`)
    return `${log.instance}: BROKEN at ${placeOf(first)}: ${sentences[first.kind]}\n${more.join('')}`
  }
  const range = `records ${String(log.first)} to ${String(log.head.seq)}`
  const open = log.head.seq - log.sealed
  const seal = open <= 0 ? 'all under a checkpoint' : `the last ${String(open)} not yet under one`
  const rest = log.unfinished ? '; the last line is unfinished' : ''
  const alone = compares && log.kept === 0 ? '; no checkpoint of it was kept elsewhere' : ''
  return `${log.instance}: whole, ${range}, ${seal}${rest}, head ${log.head.hash}${alone}\n`
}

function placeOf({ file, line, seq }: VerificationFault): string {
  const where = line === 0 ? file : `${file} line ${String(line)}`
  return `record ${String(seq)} (${where})`
}

const sentences: Readonly<Record<FaultKind, string>> = {
  unreadable: 'this line is not a record',
  changed: 'the record was changed after it was written',
  missing: 'records before this one are missing',
  out_of_order: 'the record is not in its place: it was inserted or moved',
  not_linked: 'the record before it is not the one it was written after',
  foreign: 'the record is another instance’s: its file was renamed',
  torn: 'the line ends in the middle',
  damaged: 'the compressed file is damaged and cannot be read from here on',
  checkpoint_differs: 'a checkpoint was signed over another record of this number',
  truncated: 'a checkpoint counts this record, and it is missing',
  checkpoint_broken: 'a checkpoint is not readable or not signed with this key',
}
