import { rmSync } from 'node:fs'
import t from 'tap'
import { checkOutEarlierVersion } from '../support/earlier-version.ts'
import { tellFigures } from '../support/figures.ts'
import { startLoad } from '../support/rolling-load.ts'
import type { TestBrowser } from '../support/hospital.ts'
import { startRolling } from '../support/rolling.ts'
import { until } from '../support/until.ts'

/** An upgrade: two versions beside each other on one Redis, and one replaced by the other under load behind nginx. */

t.setTimeout(3_600_000)

const earlier = checkOutEarlierVersion()
t.teardown(() => rmSync(earlier.folder, { recursive: true, force: true }))
t.comment(`the earlier version is ${earlier.commit}`)

t.test('two versions on one Redis: what one began the other goes on with', async (t) => {
  const rolling = await startRolling({ mains: [earlier.main, undefined], accessTokenSeconds: 3 })
  t.teardown(() => rolling.close())
  const { sandbox, publicUrl } = rolling
  const { id: patient } = sandbox.patient('amara')
  for (const [name, began, goesOn] of [
    ['begun by the earlier', 0, 1],
    ['begun by this one', 1, 0],
  ] as const) {
    await t.test(name, async (t) => {
      const [here, there] = [rolling.browserAt(began), rolling.browserAt(goesOn)]
      const { launch } = await here.launch({ patient })
      const share = (from: TestBrowser, to: TestBrowser): void => {
        for (const [key, value] of from.jar.cookies) to.jar.keep(`${key}=${value}`)
      }
      const read = async (browser: TestBrowser): Promise<number> => {
        const answer = await browser.fetch(`/fhir/${launch}/Patient/${patient}`)
        t.equal((JSON.parse(await answer.text()) as { id: string }).id, patient)
        return answer.status
      }
      share(here, there)
      t.equal(await read(here), 200)
      t.equal(await read(there), 200, 'the other version reads the launch')
      // Each refreshes the token in its turn, and the other goes on with the result.
      for (const browser of [there, here, there]) {
        await new Promise((resolve) => setTimeout(resolve, 3100))
        t.equal(await read(browser), 200, 'after a refresh')
      }
      const activity = await there.fetch(`/launches/${launch}/activity`, {
        method: 'POST',
        headers: { origin: publicUrl },
      })
      t.ok(activity.ok, `activity ${activity.status}`)
      // A second launch of the same browser joins the session at the other version.
      const second = await there.launch({ patient: sandbox.patient('amara').id })
      share(there, here)
      const joined = await here.fetch(`/fhir/${second.launch}/Patient/${patient}`)
      t.equal(joined.status, 200, 'the second launch is known to the first version')
      t.equal(await read(here), 200, 'and the first launch still lives')
      const ended = await there.fetch(`/launches/${launch}`, {
        method: 'DELETE',
        headers: { origin: publicUrl },
      })
      t.ok(ended.ok, `end ${ended.status}`)
      await until(
        async () => (await here.fetch(`/fhir/${launch}/Patient/${patient}`)).status,
        (status) => status === 401,
      )
    })
  }
})

t.test('one replica after the other is replaced under load: nobody sees an error', async (t) => {
  const rolling = await startRolling({ mains: [earlier.main, earlier.main] })
  t.teardown(() => rolling.close())
  const browsers = Array.from({ length: 24 }, () => rolling.browser())
  const clinic = startLoad(rolling.sandbox, browsers)
  const busy = async (): Promise<void> => {
    const before = clinic.count()
    await until(
      () => clinic.count(),
      (count) => count > before + 1500,
      120_000,
    )
  }
  await busy()
  // From the earlier version to this one. The first did not yet end its connections while it stopped, and may meet its
  // own limit; nobody sees it.
  for (const replica of [0, 1]) {
    await rolling.replace(replica)
    await busy()
  }
  // And once more, from this version to itself: no earlier one runs any more, so records become packed.
  rolling.writeRecords('packed')
  for (const replica of [0, 1]) {
    const { code } = await rolling.replace(replica)
    t.equal(code, 0, `replica ${replica} stopped in order`)
    await busy()
  }
  const { requests, launches, wrong } = await clinic.stop()
  t.same(wrong, [])
  t.ok(requests > 6000 && launches > 48)
  tellFigures(t, { requests, launches, errors: wrong.length, replacements: 4 })
})
