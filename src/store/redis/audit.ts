import { checkpointsMost } from '../store.ts'
import type { AuditEntry, Store } from '../store.ts'
import type { RedisClient } from './client.ts'
import type { RedisAsker } from './fault.ts'
import { auditName, checkpointsName } from './names.ts'

type AuditPart = Pick<
  Store,
  'keepCheckpoint' | 'listCheckpoints' | 'addAuditLines' | 'readAuditLines'
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

    async addAuditLines(lines, most) {
      if (lines.length === 0) return
      await ask('addAuditLines', () => client.bffAddAuditLines(auditName, most, ...lines))
    },

    async readAuditLines(after, limit) {
      const from = after === undefined ? '-' : `(${after}`
      const found = await ask('readAuditLines', () =>
        client.xrange(auditName, from, '+', 'COUNT', limit),
      )
      return (found ?? []).map(readEntry)
    },
  }
}

/** An entry of another form is an empty line, which no reader takes for a record. */
function readEntry([id, fields]: [string, string[]]): AuditEntry {
  const [name, line] = fields
  return { id, line: name === 'line' && line !== undefined ? line : '' }
}
