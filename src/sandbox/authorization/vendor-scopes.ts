/** What some EHRs make of the scopes that were asked (smart-conformance.md section 5). */

const words = (scope: string): string[] => scope.split(' ').filter(Boolean)

const resourceScope = /^(patient|user|system)\/(\*|[A-Z][A-Za-z]+)\.([a-z*]+)(\?.*)?$/

/**
 * Epic before August 2024, and by a setting of the app since: v1 whatever was asked, in two spellings, and scopes of
 * APIs that are registered with the app though they were not asked.
 */
export function spelledByEpic(granted: string): string {
  const spelled = words(granted).flatMap((scope) => {
    const [, level, type, actions = ''] = resourceScope.exec(scope) ?? []
    if (level === undefined || type === undefined) return [scope]
    const reads = /[rs]|read|\*/.test(actions) ? [`${level}/${type}.Read`] : []
    const writes = /[cud]|write|\*/.test(actions.replace('read', ''))
    return [
      ...reads,
      ...reads.map((read) => read.replace('.Read', '.read')),
      ...(writes ? [`${level}/${type}.write`] : []),
    ]
  })
  return [...new Set([...spelled, 'user/Practitioner.Read'])].join(' ')
}

/** Oracle Health: wildcards are not given, and an app registered for v2 loses its v1 scopes without a word. */
export function withoutWildcardsAndV1(asked: string): string {
  return words(asked)
    .filter((scope) => {
      const [, , type, actions = ''] = resourceScope.exec(scope) ?? []
      return type === undefined || (type !== '*' && !/^(read|write|\*)$/.test(actions))
    })
    .join(' ')
}
