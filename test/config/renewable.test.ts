import t from 'tap'
import { renewable, together } from '../../src/config/renewable.ts'

interface Parts {
  readonly of: () => string
  readonly also: () => string
}
const make = (word: string): Parts => ({ of: () => word, also: () => `${word}!` })

t.test('whoever was given the part asks the present one', (t) => {
  const { part, renew } = renewable<string, Parts>('first', make)
  const { of } = part
  const put = renew('second')
  t.equal(of(), 'first', 'made ready is not in place')
  put()
  t.same([of(), part.also()], ['second', 'second!'])
  t.end()
})

t.test('what cannot be made whole is not put in place, and nothing beside it', (t) => {
  const good = renewable<string, Parts>('first', make)
  const partial = renewable<string, Partial<Parts>>('first', (word) =>
    word === 'first' ? make(word) : { of: () => word },
  )
  t.throws(() => together([good.renew, partial.renew])('second'), { message: 'without also' })
  t.same([good.part.of(), partial.part.of?.(), partial.part.also?.()], ['first', 'first', 'first!'])
  t.end()
})
