import { type Schema, api, bodyOf } from './api/client.js'
import { utcHour, utcTime } from './format.js'
import { dayStart } from './utc.js'

/** A model with calls that have no cost. */
export type Unpriced = Schema['UnpricedModel']

/** Which calls are priced again. */
export interface RepriceFilter {
  readonly from?: string
  readonly to?: string
  readonly prompt_type?: string
  readonly only_unpriced: boolean
}

/** The UTC day of the first of its calls without a cost: a price from then on holds for all of them. */
export const firstDay = ({ first_call_at: firstCallAt, since }: Unpriced): string => dayStart(firstCallAt ?? since)

/** When the first of them began: to the second, or, where the usage log does not hold it, the hour. */
export const beginText = ({ first_call_at: firstCallAt, since }: Unpriced): string =>
  firstCallAt === null ? utcHour(since) : `at ${utcTime(firstCallAt)}`

/** Lets the price that begins too late for a model's calls hold from their first day on, with the same rates. */
export async function priceFromFirstDay (unpriced: Unpriced): Promise<void> {
  const { later_price: later } = unpriced
  if (later === null) return
  const params = { path: { model: later.model } }
  const price = await bodyOf(api.GET('/admin/api/prices/{model}', { params }))
  const { input, cached_input: cachedInput, output, audio_input: audioInput, audio_output: audioOutput } =
    [price, ...price.others].find(entry => entry.effective_from === later.effective_from) ?? price
  await api.PUT('/admin/api/prices/{model}', {
    params,
    body: {
      input,
      cached_input: cachedInput,
      output,
      audio_input: audioInput,
      audio_output: audioOutput,
      effective_from: firstDay(unpriced)
    }
  })
}
