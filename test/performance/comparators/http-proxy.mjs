import fastify from 'fastify'
import proxy from '@fastify/http-proxy'

/** @fastify/http-proxy as its documentation shows it. */
const { ehr } = JSON.parse(process.argv[2] ?? '{}')
const app = fastify()
await app.register(proxy, { upstream: ehr, prefix: '/fhir/launch', rewritePrefix: '/fhir/r4' })
const origin = await app.listen({ port: 0, host: '127.0.0.1' })
process.send({ origin, launch: 'launch', headers: {} })
