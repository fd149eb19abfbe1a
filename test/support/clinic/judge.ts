/** Whether an answer is about the patient whose chart it was asked in, and about nobody else. */

interface Json {
  readonly [member: string]: unknown
}

/** Undefined when all is well; otherwise what was found. Reads the whole answer, as an app would. */
export function judgeAnswer(text: string, patient: string): string | undefined {
  const body = JSON.parse(text) as Json
  const resources =
    body['resourceType'] === 'Bundle'
      ? ((body['entry'] ?? []) as Json[]).map((entry) => entry['resource'] as Json)
      : [body]
  for (const resource of resources) {
    const about = subjectOf(resource)
    if (about !== undefined && about !== patient) {
      return `${String(resource['resourceType'])} of ${about} in the chart of ${patient}`
    }
  }
  return undefined
}

function subjectOf(resource: Json): string | undefined {
  if (resource['resourceType'] === 'Patient') return String(resource['id'])
  const subject = (resource['subject'] ?? resource['patient']) as Json | undefined
  return /(?:^|\/)Patient\/([^/]+)$/.exec(String(subject?.['reference']))?.[1]
}

/** The next link of a searchset, as a path. */
export function nextPage(text: string): string | undefined {
  const { link = [] } = JSON.parse(text) as { link?: { relation: string; url: string }[] }
  const next = link.find(({ relation }) => relation === 'next')
  return next === undefined ? undefined : new URL(next.url).pathname
}
