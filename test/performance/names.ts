/** Under which names the figures of the proxies stand in a run and in its history. */
export const proxyNames = {
  bare: 'bare node:http + undici',
  ours: 'smart-bff on Redis',
  fastify: '@fastify/http-proxy',
  express: 'express-openid-connect',
  apache: 'Apache mod_auth_openidc',
} as const

export const bodyNames = [
  '1 KB Patient',
  '23 KB searchset',
  '115 KB searchset',
  '5 MB searchset',
] as const
