import t from 'tap'
import { readTokenAnswer } from '../../src/ehr/token-answer.ts'

const answer = (status: number, body: unknown, contentType = 'application/json') =>
  readTokenAnswer({
    status,
    contentType,
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })

t.test(
  'null members, status 201, scope arrays and odd content types are made conformant',
  async (t) => {
    const odd = answer(
      201,
      {
        access_token: 'a',
        token_type: 'Bearer',
        refresh_token: null,
        id_token: null,
        expires_in: null,
        scope: ['launch', 'patient/Patient.r'],
      },
      'text/plain',
    )
    t.same(odd, {
      kind: 'issued',
      idToken: undefined,
      members: { access_token: 'a', token_type: 'Bearer', scope: 'launch patient/Patient.r' },
    })
  },
)

t.test('an empty refresh token is no refresh token', async (t) => {
  const read = answer(200, { access_token: 'a', token_type: 'bearer', refresh_token: '' })
  t.ok(read.kind === 'issued' && !('refresh_token' in read.members))
})

t.test('the id_token is set apart for our own check', async (t) => {
  const read = answer(200, { access_token: 'a', token_type: 'bearer', id_token: 'x.y.z' })
  t.match(read, { kind: 'issued', idToken: 'x.y.z' })
  t.ok(read.kind === 'issued' && !('id_token' in read.members))
})

t.test('refusals are told by code, whatever the status', async (t) => {
  t.match(answer(400, { error: 'invalid_grant' }), { kind: 'refused', error: 'invalid_grant' })
  t.match(answer(401, { error: 'invalid_client' }), { kind: 'refused', error: 'invalid_client' })
  t.match(answer(403, '<html>no</html>', 'text/html'), { kind: 'refused', error: 'other' })
  t.match(answer(400, { error: '<script>' }), { kind: 'refused', error: 'other' })
  t.match(answer(401, { resourceType: 'OperationOutcome' }), { kind: 'refused', error: 'other' })
})

t.test('what may have taken effect is uncertain, not refused', async (t) => {
  for (const status of [408, 429, 500, 502, 503, 504, 302]) {
    t.match(answer(status, 'x'), { kind: 'uncertain', status })
  }
})

t.test('a success that is not a JSON object is unreadable', async (t) => {
  t.match(answer(200, '<html>'), { kind: 'unreadable' })
  t.match(answer(200, '[]'), { kind: 'unreadable' })
  t.match(answer(200, 'null'), { kind: 'unreadable' })
})
