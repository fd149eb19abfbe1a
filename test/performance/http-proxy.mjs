import fastify from 'fastify'
import proxy from '@fastify/http-proxy'
import { answerUsage } from './report.ts'

/** @fastify/http-proxy as its documentation shows it. */
const [origin] = process.argv.slice(2)
const app = fastify()
await app.register(proxy, { upstream: origin, prefix: '/fhir/launch', rewritePrefix: '/fhir/r4' })
const address = await app.listen({ port: 0, host: '127.0.0.1' })
answerUsage()
process.send({ origin: address, launch: 'launch', headers: {} })
