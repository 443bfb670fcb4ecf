import { Type } from 'typebox'
import { isKeyName } from '../../redaction/redact.js'
import { invalidField, priceNotFound } from '../errors.js'
import { Page, pageParameters, readPageQuery, toPage } from '../keyset-page.js'
import { inUtc } from '../queries/expressions.js'
import {
  countPricedModels, deletePrices, findPrice, listPrices, priceEntries, putPrice, type PriceRow
} from '../queries/prices.js'
import { errors, InstantText, NoContent, Shared } from '../schemas/common.js'
import { ModelPriceSchema, NewPriceSchema, type ModelPrice, type NewPrice } from '../schemas/prices.js'
import type { AdminApp, RouteDependencies } from './admin-app.js'

const tags = ['Prices']
const params = Type.Object({
  model: Type.String({
    minLength: 1,
    maxLength: 256,
    description: 'Percent-encoded where it has to be: `ft:gpt-4o:org::id` as it is, a slash as %2F',
    examples: ['gpt-4o']
  })
})
const listQuery = Type.Object(pageParameters, { additionalProperties: false })
const deleteQuery = Type.Object({
  effective_from: Type.Optional(InstantText('Only the price of this time; left out: all of the model\'s'))
}, { additionalProperties: false })
const placeSchema = Type.Tuple([Type.String({ minLength: 1, maxLength: 256, pattern: '^[^\\u0000]*$' })])

export function priceRoutes (app: AdminApp, dependencies: RouteDependencies): void {
  app.addSchema(ModelPriceSchema)
  listRoute(app, dependencies)
  readRoute(app, dependencies)
  putRoute(app, dependencies)
  deleteRoute(app, dependencies)
}

function listRoute (app: AdminApp, { database, now }: RouteDependencies): void {
  app.get('/prices', {
    schema: {
      operationId: 'listPrices',
      tags,
      summary: 'List prices of your own',
      description: 'One item a model, in order of their names. Models that are not in it cost what the built-in tables say.',
      querystring: listQuery,
      response: { 200: Page(Shared('ModelPrice', ModelPriceSchema)), ...errors }
    }
  }, async request => {
    const { limit, after } = readPageQuery(placeSchema, request.query)
    const page = await listPrices(database.operator, now(), limit, after)
    return toPage(page, await countPricedModels(database.operator))
  })
}

function readRoute (app: AdminApp, { database, now }: RouteDependencies): void {
  app.get('/prices/:model', {
    schema: {
      operationId: 'getPrice',
      tags,
      summary: 'Read a price of your own',
      description: 'The current one, else the next one, and the model\'s other ones. 404 where the built-in tables apply.',
      params,
      response: { 200: Shared('ModelPrice', ModelPriceSchema), ...errors }
    }
  }, async request => found(await findPrice(database.operator, request.params.model, now()), request.params.model))
}

function putRoute (app: AdminApp, { changePolicy, now }: RouteDependencies): void {
  app.put('/prices/:model', {
    schema: {
      operationId: 'putPrice',
      tags,
      summary: 'Set a price of your own',
      description: 'It overrides the built-in tables for calls from `effective_from` on, in every service tier and for any context length, ' +
        'for the model and for dated snapshots of it that have no price of their own here. The model\'s prices of other times stay. ' +
        'Applies to the next call. For calls that were made before, give an `effective_from` in their past, and reprice.',
      params,
      body: NewPriceSchema,
      response: { 200: Shared('ModelPrice', ModelPriceSchema), ...errors }
    }
  }, async request => {
    const { model } = request.params
    if (isKeyName(model)) {
      const message = "'model' is or contains an API key. Send the model's name, and replace that key."
      throw invalidField(message, 'model')
    }
    const price = exactPrice(request.body)
    const from = inUtc(request.body.effective_from ?? new Date(now()).toISOString())
    return await changePolicy(async (transaction, audit) => {
      const entryOf = async () => (await priceEntries(transaction, model)).find(entry =>
        entry.effective_from === from) ?? null
      const before = await entryOf()
      await putPrice(transaction, model, from, price)
      await audit({
        action: before === null ? 'price.create' : 'price.update', target: model, before, after: await entryOf()
      })
      return found(await findPrice(transaction, model, now()), model)
    })
  })
}

function deleteRoute (app: AdminApp, { changePolicy }: RouteDependencies): void {
  app.delete('/prices/:model', {
    schema: {
      operationId: 'deletePrice',
      tags,
      summary: 'Delete a price of your own',
      description: 'All of the model\'s prices, or the one of `effective_from`. What then applies, applies to the next call; earlier calls retain their cost.',
      params,
      querystring: deleteQuery,
      response: { 204: NoContent, ...errors }
    }
  }, async (request, reply) => {
    const { model } = request.params
    const { effective_from: from } = request.query
    await changePolicy(async (transaction, audit) => {
      const before = await deletePrices(transaction, model, from === undefined ? null : inUtc(from))
      if (before.length === 0) throw priceNotFound(model)
      await audit({ action: 'price.delete', target: model, before: { prices: before }, after: null })
    })
    void reply.code(204)
  })
}

function found (price: ModelPrice | null, model: string): ModelPrice {
  if (price === null) throw priceNotFound(model)
  return price
}

/** @throws GatewayError 400 `invalid_field` for more decimals than are kept */
const exactPrice = (body: NewPrice): PriceRow => ({
  input: decimal('input', body.input),
  cached_input: decimalOrNull('cached_input', body.cached_input),
  output: decimal('output', body.output),
  audio_input: decimalOrNull('audio_input', body.audio_input),
  audio_output: decimalOrNull('audio_output', body.audio_output)
})

const decimalOrNull = (field: keyof PriceRow, usd: number | null | undefined): string | null =>
  usd == null ? null : decimal(field, usd)

function decimal (field: keyof PriceRow, usd: number): string {
  // The shortest decimal that is this number: what the request said, as far as it could be read.
  const text = String(usd)
  if (!/^\d+(\.\d{1,6})?$/.test(text)) {
    throw invalidField(
      `The field '${field}' must have at most six decimals (USD per million tokens), but is ${text}.`, field
    )
  }
  return text
}
