import express from 'express'
import oidc from 'express-openid-connect'
import { createProxyMiddleware } from 'http-proxy-middleware'
import { Redis } from 'ioredis'
import { Agent } from 'node:http'
import { once } from 'node:events'

/**
 * What a team would build of usual parts: express-openid-connect with its sessions in Redis, and http-proxy-middleware
 * that adds the session's token. No rule is checked and no answer is looked at.
 */
const { ehr, redisUrl } = JSON.parse(process.argv[2] ?? '{}')
const redis = new Redis(redisUrl)
const lifeSeconds = 3600

/** The interface of express-session stores, which express-openid-connect takes. */
const told = (promise, done) => promise.then(...answering(done))
const answering = (done) => [(value) => done?.(null, value), (error) => done?.(error)]
const parsed = (text) => (text === null ? undefined : JSON.parse(text))
const store = {
  get: (id, done) => void told(redis.get(`express:${id}`).then(parsed), done),
  set: (id, session, done) =>
    void told(redis.set(`express:${id}`, JSON.stringify(session), 'EX', lifeSeconds), done),
  destroy: (id, done) => void told(redis.del(`express:${id}`), done),
}

const app = express()
const server = app.listen(0, '127.0.0.1')
await once(server, 'listening')
const origin = `http://localhost:${server.address().port}`
app.use(
  oidc.auth({
    issuerBaseURL: ehr,
    baseURL: origin,
    clientID: 'bench',
    clientSecret: 'a-secret-of-the-bench-alone-32-characters',
    secret: 'another-secret-of-the-bench-alone-32',
    authRequired: true,
    authorizationParams: { response_type: 'code', scope: 'openid profile' },
    session: { store, rollingDuration: lifeSeconds },
    idTokenSigningAlg: 'ES256',
  }),
)
app.use(
  '/fhir/launch',
  createProxyMiddleware({
    target: `${ehr}/fhir/r4`,
    changeOrigin: true,
    agent: new Agent({ keepAlive: true, maxSockets: 64 }),
    on: {
      proxyReq: (outgoing, incoming) => {
        outgoing.removeHeader('cookie')
        outgoing.setHeader('authorization', `Bearer ${incoming.oidc.accessToken.access_token}`)
      },
    },
  }),
)
process.send({ origin, launch: 'launch', headers: {}, signIn: '/fhir/launch/Patient/p1' })
