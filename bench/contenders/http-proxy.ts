import httpProxy from '@fastify/http-proxy'
import Fastify from 'fastify'

// A process of its own: @fastify/http-proxy as its manual sets it up.

const app = Fastify({ bodyLimit: 64 * 1024 * 1024 })
await app.register(httpProxy, { upstream: process.env['UPSTREAM_ORIGIN'] ?? '' })
await app.listen({ host: '127.0.0.1', port: Number(process.env['PORT']) })
