import t from 'tap'
import type { AuditEvent } from '../../src/audit/event.ts'
import { auditEvents } from '../../src/audit/event-names.ts'
import { readSources } from '../structure/folders.ts'

t.test('every event of the closed list is recorded somewhere', async (t) => {
  const text = readSources()
    .filter(({ path }) => path !== 'audit/event-names.ts')
    .map((source) => source.text)
    .join('\n')
  for (const name of Object.keys(auditEvents)) t.ok(text.includes(`'${name}'`), name)
})

t.test('the type of an event has no place for a name, a value or an address', async (t) => {
  const event = { event: 'fhir.access', outcome: 'success' } as const
  const refused: readonly AuditEvent[] = [
    // @ts-expect-error -- no such event
    { ...event, event: 'fhir.looked' },
    // @ts-expect-error -- no such member
    { ...event, name: 'John Smith' },
    // @ts-expect-error -- no such member
    { ...event, url: '/fhir/Patient?name=Smith' },
    // @ts-expect-error -- no such member
    { ...event, body: {} },
    // @ts-expect-error -- a reason is a word of a closed list
    { ...event, reason: 'John Smith was refused' },
    // @ts-expect-error -- a user is what he is by, never a name
    { ...event, user: { name: 'John Smith' } },
    // @ts-expect-error -- a state is a word of a closed list
    { ...event, state: 'Smith' },
  ]
  t.equal(
    refused.length,
    7,
    'each is refused by the compiler; what comes in all the same is line.test.ts',
  )
})
