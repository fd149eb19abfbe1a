import type { Audit } from '../audit/event.ts'
import { createPseudonyms } from '../audit/pseudonyms.ts'
import { startCommandAudit } from './command-audit.ts'
import type { Config } from '../config/schema/config.ts'
import { createEhrs } from '../ehr/connection.ts'
import { createRevoke } from '../ehr/revoke.ts'
import { SmartBffError } from '../errors.ts'
import { clocksOf, createSessionRecords } from '../session/session-records.ts'
import { createStore } from '../store/create.ts'
import type { Store } from '../store/store.ts'
import { createKeepers } from '../vault/keepers.ts'
import { createKeyRing } from '../vault/key-ring.ts'
import { createLaunchIndex } from '../vault/launch-index.ts'
import { resealAll, type ResealCount } from '../vault/reseal.ts'
import { createRevocation } from '../vault/revocation.ts'
import { sealAuditStream } from '../vault/sealed-stream.ts'
import { createVault } from '../vault/vault-store.ts'
import { newIncident } from '../web/incident.ts'
import type { Command } from './arguments.ts'
import type { Output } from './audit-verify.ts'

export type Maintenance =
  | (Extract<Command, { kind: 'revoke' }> & { readonly by: string })
  | Extract<Command, { kind: 'keys-rotate' }>

/**
 * `smart-bff revoke` and `smart-bff keys rotate`: work on the store that the replicas share, in a process of its own.
 * Its audit stands beside theirs, under the name of the instance with `.command` at its end.
 */
export async function runMaintenance(
  command: Maintenance,
  config: Config,
  output: Output,
): Promise<number> {
  if (!('redis' in config.store)) {
    const detail = 'the embedded store is in the memory of the server process; only Redis is shared'
    throw new SmartBffError('STORE_UNAVAILABLE', { detail })
  }
  const plain = createStore(config.store, { now: Date.now, onFault: () => undefined })
  const store = sealAuditStream(plain, createKeyRing(config.keys.encryption))
  try {
    const audit = await startCommandAudit(config, store)
    try {
      await store.check()
      return command.kind === 'revoke'
        ? await revoke(command, { config, audit, store }, output)
        : await rotate({ config, audit, store }, output)
    } finally {
      await audit.close()
    }
  } finally {
    await store.close()
  }
}

interface Ground {
  readonly config: Config
  readonly audit: Audit
  readonly store: Store
}

/** Answers the exit code: 1 where no replica of the store has confirmed the ends. */
async function revoke(
  { target, reason, by }: Extract<Maintenance, { kind: 'revoke' }>,
  { config, audit, store }: Ground,
  output: Output,
): Promise<number> {
  const pseudonyms = createPseudonyms(config.keys.pseudonym)
  const { publicUrl } = config
  const ehrs = createEhrs(config, { publicUrl, now: Date.now, onMoved: () => undefined })
  const keyRing = createKeyRing(config.keys.encryption)
  const carryOut = createRevocation({
    store,
    vault: createVault({ store, keyRing, now: store.now, session: clocksOf(config) }),
    index: createLaunchIndex({ store, pseudonyms }),
    pseudonyms,
    audit,
    revoke: createRevoke({ ehrs, audit }),
  })
  try {
    const request = newIncident()
    const result = await carryOut({ target, reason, by, request })
    const ended = result.ended === 1 ? '1 launch' : `${result.ended} launches`
    output.write(`${ended} ended, recorded under ${request}.\n`)
    if (result.replicated) return 0
    output.write('No replica of the store has confirmed this: repeat it after a failover.\n')
    return 1
  } finally {
    await Promise.all([...ehrs.values()].map((ehr) => ehr.close()))
  }
}

/** Answers the exit code: 1 where something could not be opened, and so not be sealed anew. */
async function rotate({ config, audit, store }: Ground, output: Output): Promise<number> {
  const keyRing = createKeyRing(config.keys.encryption)
  const sessions = createSessionRecords({
    store,
    keyRing,
    now: store.now,
    ...clocksOf(config),
  })
  let last = ''
  const told = (sofar: Readonly<ResealCount>): void => {
    const line = progress(sofar)
    if (line !== last) output.write(`${line}\n`)
    last = line
  }
  const count = { ...(await resealAll({ store, keyRing, sessions }, told)) }
  for (const done of await createKeepers({ store, keyRing }).reseal()) {
    // What nobody has kept yet is not over.
    if (done !== 'gone') count[done] += 1
  }
  told(count)
  const event = { event: 'keys.rotated', actor: 'staff', count: count.resealed } as const
  await audit.record({ ...event, outcome: count.unreadable === 0 ? 'success' : 'failed' })
  const [first, ...older] = config.keys.encryption.map(({ id }) => id)
  output.write(
    `Done: every launch, session and saved search that can be opened is sealed under ${first}.\n`,
  )
  if (count.unreadable > 0) return 1
  if (older.length > 0) {
    output.write(
      `Sign-ins under way keep their key for 10 minutes and drafts for 24 hours; after that ` +
        `${older.join(', ')} can be taken out of the configuration.\n`,
    )
  }
  return 0
}

const progress = ({ resealed, fresh, gone, unreadable }: Readonly<ResealCount>): string =>
  `${resealed} sealed anew, ${fresh} already, ${gone} over, ${unreadable} not to be opened`
