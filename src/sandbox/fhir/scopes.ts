/**
 * The sandbox's own reading of SMART scopes (SMART App Launch 2.2, scopes-and-launch-context). It is deliberately not
 * shared with the product: two independent readings must agree before a test passes.
 */
export type Action = 'c' | 'r' | 'u' | 'd' | 's'

export interface ResourceScope {
  readonly level: 'patient' | 'user' | 'system'
  readonly type: string
  readonly actions: ReadonlySet<Action>
  /** The search parameters of a granular scope, as sent after `?`. */
  readonly query?: string
}

const v1: Readonly<Record<string, string>> = { read: 'rs', write: 'cud', '*': 'cruds' }

/** Every resource scope in a scope string; what is not understood grants nothing. */
export function readScopes(scope: string): readonly ResourceScope[] {
  return scope.split(' ').flatMap((word) => {
    const parsed = readScope(word)
    return parsed === undefined ? [] : [parsed]
  })
}

function readScope(word: string): ResourceScope | undefined {
  const [head = '', ...tail] = word.split('?')
  const slash = head.indexOf('/')
  const dot = head.lastIndexOf('.')
  if (slash < 0 || dot < slash) return undefined
  const level = head.slice(0, slash)
  const type = head.slice(slash + 1, dot)
  const letters = v1[head.slice(dot + 1)] ?? head.slice(dot + 1)
  if (level !== 'patient' && level !== 'user' && level !== 'system') return undefined
  if (type !== '*' && !/^[A-Z][A-Za-z]+$/.test(type)) return undefined
  if (!inOrder(letters)) return undefined
  const query = tail.join('?')
  return {
    level,
    type,
    actions: new Set(letters.split('') as Action[]),
    ...(query === '' ? {} : { query }),
  }
}

/** SMART 2.2: a non-empty subset of "cruds" in that order. */
function inOrder(letters: string): boolean {
  let from = 0
  for (const letter of letters) {
    const at = 'cruds'.indexOf(letter, from)
    if (at < 0) return false
    from = at + 1
  }
  return letters.length > 0
}
