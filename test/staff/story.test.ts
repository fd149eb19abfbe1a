import t from 'tap'
import type { AuditRecord } from '../../src/audit/record.ts'
import { launchHash } from '../../src/audit/pseudonyms.ts'
import { storyOf } from '../../src/staff/story.ts'
import { rawMode } from '../support/config.ts'
import { startHospital } from '../support/hospital.ts'
import { signInAs, staffOptions } from './staff-rig.ts'

/** What a launch's records say of how it ended. */

let seq = 0
const one = (event: string, request: string, more: Partial<AuditRecord> = {}): AuditRecord => {
  seq += 1
  return {
    seq,
    time: new Date(Date.UTC(2026, 2, 1, 10) + seq * 1000).toISOString(),
    event,
    outcome: 'success',
    launch: '0123456789abcdef',
    request,
    instance: 'one',
    prev: '',
    hash: '',
    ...more,
  }
}
const told = (...records: AuditRecord[]) =>
  storyOf({ records, opening: records, ending: records }, 'UTC')

const opened = [
  one('launch.received', '1111-1111-11'),
  one('token.exchanged', '2222-2222-22'),
  one('launch.authorized', '2222-2222-22', { state: 'active' }),
]
const asked = one('launch.transition', '3333-3333-33', { state: 'reauth_required' })
const failed = (request: string) =>
  one('launch.failed', request, { outcome: 'refused', reason: 'ehr.access_denied' })

t.test('a new authorization that failed ends nothing', async (t) => {
  t.match(told(...opened, failed('4444-4444-44')), {
    end: 'The app opened and is in use.',
    opened: true,
    lives: true,
  })
  const waits = told(...opened, asked, failed('4444-4444-44'))
  t.match(waits, { end: /asks the user to sign in/, opened: true, lives: true })
  t.match(waits.rows.at(-1), { sentence: /new authorization did not succeed/ })
  t.notOk(
    waits.phases.some(({ name }) => name === 'Open'),
    'it is open still',
  )
  const sent = one('launch.received', '4444-4444-44')
  t.match(told(...opened, asked, sent), { end: /asks the user to sign in/, lives: true })
  const again = one('launch.authorized', '5555-5555-55', { reason: 'reauthorized' })
  const renewed = told(...opened, asked, sent, again)
  t.match(renewed, { end: 'The app opened and is in use.', lives: true })
  t.match(
    renewed.rows.map(({ sentence }) => sentence),
    [
      'The EHR asked to open the app.',
      /tokens/,
      'The EHR authorized the launch; the app opened.',
      'The EHR asked the user to sign in again.',
      'The user was sent to the EHR for a new authorization.',
      'The EHR authorized the launch anew.',
    ],
  )
  const over = one('launch.transition', '6666-6666-66', { state: 'ended' })
  t.match(told(...opened, over, failed('7777-7777-77')), {
    end: 'The app opened, and was closed.',
    opened: true,
    lives: false,
  })
})

t.test('what was refused while it was open comes before an authorization given up', async (t) => {
  const write = one('fhir.failed', '3333-3333-33', { outcome: 'failed', reason: 'EHR_TIMEOUT' })
  t.equal(told(...opened, write, failed('4444-4444-44')).cause?.reason, 'EHR_TIMEOUT')
  t.equal(told(...opened, failed('4444-4444-44')).cause?.reason, 'ehr.access_denied')
})

t.test('a launch that failed to open did not open, however far it came', async (t) => {
  const [received, exchanged, authorized] = opened
  if (!received || !exchanged || !authorized) throw new Error('no records')
  const wanted = { end: 'The app did not open.', opened: false, lives: false }
  t.match(told(received, failed('2222-2222-22')), wanted)
  t.match(told(received, exchanged, authorized, failed('2222-2222-22')), wanted)
  const aborted = one('launch.transition', '2222-2222-22', { state: 'ended' })
  t.match(told(received, exchanged, authorized, aborted, failed('2222-2222-22')), wanted)
})

t.test('on the site: somebody else came back, and the launch can still be ended', async (t) => {
  const { url, operations } = await staffOptions()
  const modes = [
    rawMode({
      id: 'desk',
      launch: 'standalone',
      scopes: ['launch/patient', 'openid', 'fhirUser', 'patient/Patient.r'],
    }),
  ]
  const hospital = await startHospital({ root: { operations }, tenant: { modes } })
  t.teardown(() => hospital.close())
  const { sandbox, publicUrl } = hospital
  const [ada, bob] = sandbox.clinicians
  const patient = sandbox.patient('amara').id
  const as = (user: { readonly id: string } | undefined) =>
    sandbox.control.set({ standalone: { patient, user: `Practitioner/${user?.id ?? ''}` } })
  const browser = hospital.browser()
  as(ada)
  const { url: app } = await browser.navigate(`${publicUrl}/launch/north/desk`)
  const launch = /\/app\/([\w-]+)\/$/.exec(app)?.[1] ?? ''
  as(bob)
  const begun = await browser.fetch(`/launches/${launch}/reauthorize`, { method: 'POST' })
  const { location } = (await begun.json()) as { location: string }
  t.equal((await browser.navigate(location)).response.status, 403)
  const cookie = await signInAs('operator', url)
  const page = await fetch(`${url}/launch/${launchHash(launch)}`, { headers: { cookie } })
  const text = await page.text()
  t.match(text, /LAUNCH_REAUTHORIZED_OTHER/)
  t.match(text, /The app opened and is in use\./)
  t.match(text, /End this launch/)
})
