import { Type } from 'typebox'
import {
  COST_INTERVALS, costBuckets, type CostInterval, costRange, costRangeBefore, shownRange
} from '../costs/cost-range.js'
import { costFigures, costGroups, costsJson } from '../costs/cost-response.js'
import {
  type CostDimension, type CostDirection, type CostSum, greatestChanges, greatestGroups, inSnapshot, readSummaryState,
  sumCosts
} from '../costs/cost-sums.js'
import { tooManyItems } from '../errors.js'
import { errors, Shared } from '../schemas/common.js'
import { CostsSchema, previousRangeParameters, rangeParameters, TopMoversSchema } from '../schemas/costs.js'
import type { AdminApp, RouteDependencies } from './admin-app.js'
import { jsonFormat, sendChunks } from './export-reply.js'

/** A greater answer would be of no use to whoever draws it, and would hold up the calls beside it. */
const MAX_ITEMS = 100_000

const tags = ['Costs']

const groupBy = Type.Unsafe<'prompt_type' | 'model' | 'user' | 'none'>({
  type: 'string',
  enum: [
    'prompt_type', 'model', 'user', 'none'
  ],
  default: 'none',
  description: "The response's model, or the request's where there was none"
})
const promptType = Type.Optional(
  Type.String({ description: 'Of this prompt type alone', examples: ['generate_image_metadata'] })
)

const costsQuery = Type.Object({
  group_by: Type.Optional(groupBy),
  interval: Type.Optional(Type.Unsafe<CostInterval>({
    type: 'string',
    enum: [
      ...COST_INTERVALS
    ],
    default: 'none',
    description: 'UTC; weeks begin on Monday (ISO 8601). A bucket that the period cuts contains only what is inside'
  })),
  ...rangeParameters,
  prompt_type: promptType,
  limit: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 10_000, description: 'At most this many groups: the most expensive ones' })
  )
}, { additionalProperties: false })

const moversQuery = Type.Object({
  group_by: Type.Optional(
    Type.Unsafe<'prompt_type' | 'model' | 'user'>({
      type: 'string', enum: ['prompt_type', 'model', 'user'], default: 'prompt_type'
    })
  ),
  ...rangeParameters,
  ...previousRangeParameters,
  direction: Type.Optional(
    Type.Unsafe<CostDirection>({
      type: 'string',
      enum: ['up', 'down', 'both'],
      default: 'both',
      description: '`up`: only what costs more than before; `down`: only what costs less'
    })
  ),
  prompt_type: promptType,
  limit: Type.Optional(
    Type.Integer({
      minimum: 1, maximum: 500, default: 10, description: 'How many groups: those whose cost changed most'
    })
  )
}, { additionalProperties: false })

export function costRoutes (app: AdminApp, dependencies: RouteDependencies): void {
  app.addSchema(CostsSchema)
  app.addSchema(TopMoversSchema)
  costsRoute(app, dependencies)
  topMoversRoute(app, dependencies)
}

function costsRoute (app: AdminApp, { database, now }: RouteDependencies): void {
  app.get('/costs', {
    schema: {
      operationId: 'getCosts',
      tags,
      summary: 'Sum up costs',
      description: 'Sums of every call, also of inactive types and of deleted configs and usage logs. Exact as of one moment. ' +
        `An answer of more than ${MAX_ITEMS} items is rejected.`,
      querystring: costsQuery,
      response: { 200: Shared('Costs', CostsSchema), ...errors }
    }
  }, async (request, reply) => {
    const { group_by: by = 'none', interval = 'none', from, to, prompt_type: ofType, limit } = request.query
    const range = costRange(from, to, now())
    const buckets = costBuckets(interval, range, MAX_ITEMS)
    if (buckets === null) throw tooManyItems(MAX_ITEMS)
    const { totals, sums, names } = await inSnapshot(database.operator, async snapshot => {
      const state = await readSummaryState(snapshot, range)
      const of = { range, ...ofType === undefined ? {} : { promptType: ofType } }
      const sum = async (
        by: CostDimension, interval: CostInterval, most: number, groups?: readonly string[]
      ): Promise<CostSum[]> =>
        await sumCosts(snapshot, state, {
          ...of, dimension: by, interval, most, ...groups === undefined ? {} : { groups }
        })
      // What is left out of the answer is part of the totals.
      if (by !== 'none' && limit !== undefined) {
        const names = await greatestGroups(snapshot, state, { ...of, dimension: by, most: limit })
        const [totals] = await sum('all', 'none', 1)
        return { totals: costFigures(totals), sums: await sum(by, interval, MAX_ITEMS + 1, names), names }
      }
      return {
        totals: null,
        sums: await sum(by === 'none' ? 'all' : by, interval, MAX_ITEMS + 1),
        names: by === 'none' ? [''] : null
      }
    })
    const groups = costGroups(sums, buckets, names)
    if (groups.size * buckets.length > MAX_ITEMS) throw tooManyItems(MAX_ITEMS)
    return await sendChunks(
      reply, jsonFormat.contentType, costsJson(groups, buckets, by !== 'none', totals, shownRange(range))
    )
  })
}

function topMoversRoute (app: AdminApp, { database, now }: RouteDependencies): void {
  app.get('/costs/top-movers', {
    schema: {
      operationId: 'getTopMovers',
      tags,
      summary: 'Find what changed most',
      description: 'Costs of each group in the period and in the one before. Unless `previous_from` and `previous_to` say otherwise, that one is as long, ' +
        'and ends where this one starts.',
      querystring: moversQuery,
      response: { 200: Shared('TopMovers', TopMoversSchema), ...errors }
    }
  }, async request => await inSnapshot(database.operator, async snapshot => {
    const { group_by: dimension = 'prompt_type', from, to, prompt_type: ofType, direction, limit = 10 } = request.query
    const range = costRange(from, to, now())
    const before = costRangeBefore(range, request.query.previous_from, request.query.previous_to)
    const state = await readSummaryState(snapshot, {
      fromMs: Math.min(before.fromMs, range.fromMs), toMs: Math.max(before.toMs, range.toMs)
    })
    const changes = await greatestChanges(snapshot, state, before, {
      range, dimension, most: limit, ...ofType === undefined ? {} : { promptType: ofType }
    }, direction)
    const items = changes.map(({ group, cost, previousCost, change, calls, previousCalls }) => ({
      group,
      cost,
      previous_cost: previousCost,
      change,
      change_ratio: previousCost === 0
        ? null
        : change / previousCost,
      calls,
      previous_calls: previousCalls
    }))
    const { from: previousFrom, to: previousTo } = shownRange(before)
    return { items, ...shownRange(range), previous_from: previousFrom, previous_to: previousTo }
  }))
}
