import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { type Schema, api, bodyOf } from './api/client.js'
import type { Series } from './components/chart.js'
import { type Range, bucketsOf } from './range.js'

export type Costs = Schema['Costs']
export type CostItem = Costs['items'][number]
export type CostFigures = Costs['totals']
export type CostGroup = 'prompt_type' | 'model' | 'user' | 'none'

export interface CostsOptions {
  readonly groupBy?: CostGroup
  /** `range`: as the range is divided; `none`: one sum a group. */
  readonly interval?: 'range' | 'none'
  readonly promptType?: string
  readonly limit?: number
}

/** Sums over a range of time; of none, nothing. */
export function useCosts (
  range: Range | null, { groupBy = 'none', interval = 'none', promptType, limit }: CostsOptions = {}
) {
  return useQuery({
    queryKey: ['costs', range, groupBy, interval, promptType, limit],
    enabled: range !== null,
    placeholderData: keepPreviousData,
    refetchInterval: 30_000,
    queryFn: async (): Promise<Costs> => await bodyOf(api.GET('/admin/api/costs', {
      params: {
        query: {
          group_by: groupBy,
          interval: interval === 'range' ? range?.interval ?? 'none' : 'none',
          ...(range === null ? {} : { from: range.from, to: range.to }),
          ...(promptType === undefined ? {} : { prompt_type: promptType }),
          ...(limit === undefined ? {} : { limit })
        }
      }
    }))
  })
}

const groupName = (group: string | null): string => group === null ? 'all' : group === '' ? '(none)' : group

/** Series over the same times, in seconds since the epoch. */
export interface Timed { readonly times: number[], readonly series: Series[] }

/**
 * Items as a chart takes them: a series a group, in the order of the answer, over all times of the range. Null: no
 * value then, which is not zero.
 */
export function toSeries (items: readonly CostItem[], range: Range, valueOf: (item: CostItem) => number | null): Timed {
  const times = timesOf(items, range)
  const place = new Map(times.map((time, i) => [time, i]))
  const groups = new Map<string, Array<number | null>>()
  for (const item of items) {
    const name = groupName(item.group)
    const values = groups.get(name) ?? times.map(() => null)
    values[place.get(Date.parse(item.bucket ?? '') / 1000) ?? 0] = valueOf(item)
    groups.set(name, values)
  }
  return { times, series: [...groups].map(([label, values]) => ({ label, values })) }
}

/** The range's buckets; of months, which may be those of millennia, the ones from the first to the last with calls. */
function timesOf (items: readonly CostItem[], range: Range): number[] {
  const own = items.map(item => Date.parse(item.bucket ?? '')).sort((a, b) => a - b)
  const [first, last] = [own[0], own.at(-1)]
  if (first === undefined || last === undefined) return []
  const to = new Date(last + 1).toISOString()
  const all = bucketsOf(range.interval === 'month' ? { ...range, from: new Date(first).toISOString(), to } : range)
  return all.map(ms => ms / 1000)
}

/** What the items cost. A group of which no call has a price is not free: it is marked. */
export function costSeries (items: readonly CostItem[], range: Range): Timed {
  const { times, series } = toSeries(items, range, item => item.cost)
  const lacking = new Set(items.filter(item => item.unpriced_calls > 0).map(item => groupName(item.group)))
  return {
    times, series: series.map(one => ({ ...one, isUnpriced: lacking.has(one.label) && !one.values.some(Boolean) }))
  }
}

/** What the groups that are shown leave out, as one more series. */
export function withRest (shown: Timed, all: readonly CostItem[]): Timed {
  const totals = new Map(all.map(item => [Date.parse(item.bucket ?? '') / 1000, item.cost]))
  const rest = shown.times.map((time, i) =>
    Math.max(0, (totals.get(time) ?? 0) - shown.series.reduce((sum, { values }) => sum + (values[i] ?? 0), 0)))
  // Less than what floats make of a sum of exact decimals is nothing.
  return rest.some(value => value > 1e-9)
    ? { times: shown.times, series: [...shown.series, { label: 'all others', values: rest }] }
    : shown
}
