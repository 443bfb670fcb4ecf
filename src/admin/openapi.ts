import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import { Type } from 'typebox'
import { addExamples } from './openapi-examples.js'

/** The parts of the OpenAPI document that are not in the routes' own schemas. */
export const openapiOptions = (version: string): FastifyDynamicSwaggerOptions => ({
  openapi: {
    openapi: '3.1.0',
    info: {
      title: 'promptmeter operator API',
      version,
      license: { name: 'MIT', identifier: 'MIT' },
      description: [
        'The switches and the books of each prompt type. Money is in USD, times are RFC 3339 in UTC.',
        'Lists answer `{"items","total","next_cursor"}`. A change made here applies to the next call.',
        'The proxy itself is not described here: it takes every route of the OpenAI API under `/v1`, and under ' +
        '`/prompt-types/{prompt_type}/v1`, as OpenAI documents them, with the headers `X-Prompt-Type`, `X-Prompt-Description`, ' +
        '`X-Prompt-User`, `X-Prompt-Metadata` and `X-Prompt-Store-Full-Data` besides.'
      ].join('\n\n')
    },
    components: {
      securitySchemes: { basic: { type: 'http', scheme: 'basic', description: 'ADMIN_USERNAME and ADMIN_PASSWORD' } }
    },
    security: [{ basic: [] }],
    tags: [
      { name: 'Prompt configs', description: 'One per prompt type: switches, latest call, statistics' },
      { name: 'Usage logs', description: 'One per request: calls, and what only reads or is free' },
      { name: 'Budgets', description: 'Spending limits of a prompt type or of all traffic, and the alerts that fired' },
      { name: 'Costs', description: 'Sums over every call, what changed, what other models would cost' },
      { name: 'Gateway keys', description: 'For callers, where the gateway holds the upstream key' },
      { name: 'Prices', description: 'Of your own, over the built-in tables' },
      { name: 'Settings', description: 'Switches of new prompt types' },
      { name: 'Audit log', description: 'Every change, who made it, when' },
      { name: 'OpenAPI', description: 'This document' }
    ]
  },
  transformObject: document =>
    'openapiObject' in document ? addExamples(document.openapiObject) : document.swaggerObject,
  refResolver: {
    buildLocalReference: ({ $id }, _baseUri, _fragment, index) => typeof $id === 'string' ? $id : `def-${index}`
  }
})

export const OpenapiSchema = Type.Object({}, {
  additionalProperties: true,
  description: 'An OpenAPI 3.1 document',
  examples: [{ openapi: '3.1.0', info: { title: 'promptmeter operator API', version: '1.0.0' }, paths: {} }]
})
