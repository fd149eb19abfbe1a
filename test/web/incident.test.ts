import t from 'tap'
import { newIncident } from '../../src/web/incident.ts'

t.test('an incident number can be read out over the telephone', async (t) => {
  for (let count = 0; count < 2000; count += 1) {
    t.ok(/^[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{2}$/.test(newIncident()))
  }
})

t.test('incident numbers do not repeat', async (t) => {
  const numbers = new Set(Array.from({ length: 5000 }, newIncident))
  t.equal(numbers.size, 5000)
})
