import type { FastifyInstance } from 'fastify'

/**
 * SMART App Launch 2.2, client-confidential-asymmetric (@301-@303): the key set is public, and Cache-Control says how
 * long an EHR may keep it, which bounds how long a key rotation takes.
 */
const keepSeconds = 300

export function jwksRoute(keySet: () => string) {
  return async (scope: FastifyInstance): Promise<void> => {
    scope.get('/.well-known/jwks.json', (_request, reply) =>
      reply
        .header('cache-control', `public, max-age=${keepSeconds}`)
        .header('cross-origin-resource-policy', 'cross-origin')
        .type('application/jwk-set+json')
        .send(keySet()),
    )
  }
}
