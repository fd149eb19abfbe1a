import t from 'tap'
import { SmartBffError } from '../../src/errors.ts'
import { readCallbackParameters, readLaunchParameters } from '../../src/launch/parameters.ts'

const codeOf = (act: () => unknown): string => {
  try {
    act()
  } catch (error) {
    return error instanceof SmartBffError ? error.code : 'not ours'
  }
  return 'accepted'
}

t.test('iss and launch are read as the EHR wrote them', async (t) => {
  const read = readLaunchParameters('/launch?iss=https%3A%2F%2Fehr.example%2Ffhir%2F&launch=a%2Bb')
  t.same(read, { iss: 'https://ehr.example/fhir/', launch: 'a+b', probe: undefined })
})

t.test('a launch query that cannot be trusted is refused', async (t) => {
  const hostile: Record<string, string> = {
    'iss twice': '/launch?iss=https://a.example&iss=https://b.example&launch=x',
    'launch twice': '/launch?iss=https://a.example&launch=x&launch=y',
    'launch oversized': `/launch?iss=https://a.example&launch=${'x'.repeat(8193)}`,
    'iss oversized': `/launch?iss=https://a.example/${'x'.repeat(2000)}&launch=x`,
    'a control character': '/launch?iss=https://a.example%0d%0a&launch=x',
    'a query of megabytes': `/launch?z=${'x'.repeat(20_000)}`,
  }
  for (const [name, url] of Object.entries(hostile)) {
    t.equal(
      codeOf(() => readLaunchParameters(url)),
      'LAUNCH_PARAMETER_INVALID',
      name,
    )
  }
})

t.test('empty parameters count as missing', async (t) => {
  t.same(readLaunchParameters('/launch?iss=&launch='), {
    iss: undefined,
    launch: undefined,
    probe: undefined,
  })
})

t.test('a callback needs a state and a code, each once', async (t) => {
  t.equal(
    codeOf(() => readCallbackParameters('/callback/n?code=c')),
    'LAUNCH_STATE_UNKNOWN',
  )
  t.equal(
    codeOf(() => readCallbackParameters('/callback/n?state=s')),
    'LAUNCH_CALLBACK_INVALID',
  )
  t.equal(
    codeOf(() => readCallbackParameters('/callback/n?state=s&state=s2&code=c')),
    'LAUNCH_CALLBACK_INVALID',
  )
  t.equal(
    codeOf(() => readCallbackParameters('/callback/n?state=s&code=c&code=d')),
    'LAUNCH_CALLBACK_INVALID',
  )
  t.equal(
    codeOf(() => readCallbackParameters('/callback/n?state=s&code=c&iss=a&iss=b')),
    'LAUNCH_CALLBACK_INVALID',
  )
})

t.test("an error callback keeps only a word of the protocol's list", async (t) => {
  t.match(readCallbackParameters('/callback/n?error=access_denied&state=s'), {
    kind: 'error',
    state: 's',
    error: 'access_denied',
  })
  t.match(
    readCallbackParameters('/callback/n?error=%3Cscript%3E&error_description=%3Cb%3E&state=s'),
    { kind: 'error', error: 'other' },
  )
})
