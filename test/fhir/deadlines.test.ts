import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { createDeadlines } from '../../src/fhir/resilience/deadlines.ts'

const waitMs = 60

/** Who was told, and how long after his wait began. */
function watching() {
  const told: string[] = []
  const places = new Map<string, number>()
  const begunAt = new Map<string, number>()
  const early: string[] = []
  const deadlines = createDeadlines<string>(waitMs, (one) => {
    if (performance.now() - (begunAt.get(one) ?? Infinity) < waitMs - 1) early.push(one)
    told.push(one)
    end(one)
  })
  const begin = (one: string): void => {
    begunAt.set(one, performance.now())
    places.set(one, deadlines.begin(one))
  }
  const end = (one: string): void => deadlines.end(places.get(one) ?? -1)
  return { told, early, places, begin, end }
}

async function until(condition: () => boolean): Promise<void> {
  for (let n = 0; n < 1000 && !condition(); n += 1) await sleep(10)
}

t.test('whoever has waited long enough is told, once, and nobody before', async (t) => {
  const { told, early, begin } = watching()
  begin('first')
  begin('second')
  await sleep(waitMs / 2)
  begin('later')
  await until(() => told.length >= 3)
  t.same(told, ['first', 'second', 'later'], 'one timer for those that came apart')
  await sleep(waitMs * 2)
  t.equal(told.length, 3)
  t.same(early, [])
})

t.test('who is done is not told, and whoever has the place after waits as long', async (t) => {
  const { told, early, places, begin, end } = watching()
  begin('done')
  end('done')
  end('done')
  await sleep(waitMs / 2)
  begin('next')
  begin('other')
  t.equal(places.get('next'), places.get('done'), 'the place is used again')
  t.not(places.get('other'), places.get('next'), 'and was given back once')
  end('other')
  await until(() => told.length > 0)
  await sleep(waitMs * 2)
  t.same(told, ['next'])
  t.same(early, [])
})
