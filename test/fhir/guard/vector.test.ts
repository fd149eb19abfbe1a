import { readFileSync } from 'node:fs'
import t from 'tap'
import { compile, target } from './compile.ts'

t.test('the WebAssembly in the tree is what its source compiles to', async (t) => {
  t.equal(readFileSync(target, 'utf8'), await compile())
})
