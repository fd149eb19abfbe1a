/**
 * For Fastify: our routes have no JSON schemas, since what comes in is judged by grammars and by zod. So it need not load
 * the compilers of its own, a tenth of the time that a start takes.
 */
export const noSchemas = {
  compilersFactory: { buildValidator: refuse, buildSerializer: refuse },
}

function refuse(): never {
  throw new TypeError('a route with a JSON schema: see src/web/no-schemas.ts')
}
