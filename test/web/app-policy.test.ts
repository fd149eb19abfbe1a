import t from 'tap'
import { createAppPolicy } from '../../src/web/app-policy.ts'
import { pagePolicy } from '../../src/web/headers.ts'
import { testConfig } from '../support/config.ts'

const [tenant] = testConfig().tenants
if (tenant === undefined) throw new Error('no tenant')

t.test('the safe default', async (t) => {
  const policy = createAppPolicy({}).document(tenant)
  t.match(policy, /^default-src 'none'; script-src 'self'; /)
  t.match(policy, /; frame-ancestors http:\/\/127\.0\.0\.1:9000$/)
  t.notMatch(policy, /unsafe|\*/)
  t.match(
    createAppPolicy({}).document({ ...tenant, frameAncestors: [] }),
    /frame-ancestors 'none'$/,
  )
  t.match(createAppPolicy({}).script, /frame-ancestors 'none'$/)
})

t.test('the configuration widens it, directive by directive', async (t) => {
  const policy = createAppPolicy({
    'img-src': ['https://img.example'],
    'object-src': ["'self'"],
    'frame-src': ['https://video.example'],
  }).document(tenant)
  t.match(policy, "img-src 'self' data: blob: https://img.example;")
  t.match(policy, "object-src 'self';")
  t.match(policy, 'frame-src https://video.example;')
})

t.test('it cannot say who frames the app, or break out of the header', async (t) => {
  const bad: Record<string, string[]>[] = [
    { 'frame-ancestors': ['*'] },
    { 'img-src; script-src': ['x'] },
    { 'img-src': ['x; script-src *'] },
    { 'img-src': ['a b'] },
    { 'img-src': ['a,b'] },
    { 'img-src': ['a\r\nset-cookie: x'] },
    { 'Img-Src': ['x'] },
  ]
  for (const one of bad) t.throws(() => createAppPolicy(one), TypeError, JSON.stringify(one))
})

t.test('a page runs and shows only what has its nonce', async (t) => {
  t.equal(
    pagePolicy('abc', undefined),
    "default-src 'none'; style-src 'nonce-abc'; script-src 'nonce-abc'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors *",
  )
  t.match(pagePolicy('abc', tenant), /frame-ancestors http:\/\/127\.0\.0\.1:9000$/)
})
