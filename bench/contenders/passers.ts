import { fileURLToPath } from 'node:url'
import { benchScript } from '../child-process.js'
import type { StartContender } from './contender.js'
import { startNodeContender } from './node-contender.js'

// Gateways on Node that record nothing.

export const startBare: StartContender = ({ upstreamOrigin }, { watchLoop }) => startNodeContender({
  name: 'bare pass-through', script: benchScript('contenders/bare'), env: { UPSTREAM_ORIGIN: upstreamOrigin }, watchLoop
})

export const startHttpProxy: StartContender = ({ upstreamOrigin }, { watchLoop }) => startNodeContender({
  name: '@fastify/http-proxy',
  script: benchScript('contenders/http-proxy'),
  env: {
    UPSTREAM_ORIGIN: upstreamOrigin
  },
  watchLoop
})

/** It finds its upstream in each call's headers. */
export const startPortkey: StartContender = async ({ upstreamOrigin }) => ({
  ...await startNodeContender({
    name: 'Portkey',
    script: fileURLToPath(import.meta.resolve('@portkey-ai/gateway/build/start-server.js')),
    args: port => ['--headless', `--port=${port}`],
    watchLoop: false
  }),
  headers: { 'x-portkey-provider': 'openai', 'x-portkey-custom-host': `${upstreamOrigin}/v1` }
})
