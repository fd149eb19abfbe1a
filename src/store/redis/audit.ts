import { checkpointsMost } from '../store.ts'
import type { AuditEntry, Store } from '../store.ts'
import type { RedisClient } from './client.ts'
import type { RedisAsker } from './fault.ts'
import { auditLinesName, auditName, checkpointsName } from './names.ts'

type AuditPart = Pick<
  Store,
  'keepCheckpoint' | 'listCheckpoints' | 'addAuditBatches' | 'readAuditBatches' | 'readAuditLines'
>

/** What replicas tell each other of their audits: copies, whose loss is an alarm and no refusal. */
export function auditPart(client: RedisClient, ask: RedisAsker): AuditPart {
  return {
    async keepCheckpoint(instance, note) {
      const kept = await ask('keepCheckpoint', () =>
        client.bffKeepCheckpoint(checkpointsName, instance, note, checkpointsMost),
      )
      return kept === 1
    },

    async listCheckpoints() {
      const held = await ask('listCheckpoints', () => client.hvals(checkpointsName))
      return (held ?? []).map(String)
    },

    async addAuditBatches(batches, most) {
      if (batches.length === 0) return
      const added = batches.flatMap(({ text, lines }) => [text, lines])
      await ask('addAuditBatches', () => client.bffAddAuditBatches(auditName, most, ...added))
    },

    async readAuditBatches(after, limit) {
      const found = await ask('readAuditBatches', () =>
        client.xrange(auditName, beginAfter(after), '+', 'COUNT', limit),
      )
      return (found ?? []).map(entryReader('lines'))
    },

    async readAuditLines(after, limit) {
      // Whoever begins to read keeps it for those that may come after; when nobody has begun for so long it is let go.
      if (after === undefined)
        await ask('readAuditLines', () => client.pexpire(auditLinesName, linesKeptMs))
      const found = await ask('readAuditLines', () =>
        client.xrange(auditLinesName, beginAfter(after), '+', 'COUNT', limit),
      )
      return (found ?? []).map(entryReader('line'))
    },
  }
}

const linesKeptMs = 7 * 24 * 60 * 60 * 1000

const beginAfter = (id: string | undefined): string => (id === undefined ? '-' : `(${id}`)

/** An entry of another form is an empty text, which no reader takes for a record. */
const entryReader =
  (field: string) =>
  ([id, [name, text]]: [string, string[]]): AuditEntry => ({
    id,
    text: name === field && text !== undefined ? text : '',
  })
