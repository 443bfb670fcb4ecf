import { useQuery } from '@tanstack/react-query'
import { api, bodyOf } from '../api/client.js'
import { money } from '../format.js'
import { rangeOf } from '../range.js'
import { Sparkline } from './chart.js'

const DAYS = 14
const DAY_MS = 86_400_000

/** What a prompt type cost on each of the last days; asked for once its row is in sight. */
export function CostSparkline ({ promptType }: { promptType: string }) {
  const { data } = useQuery({
    queryKey: ['sparkline', promptType],
    staleTime: 60_000,
    queryFn: async () => {
      const { to } = rangeOf('24h')
      const from = new Date(Math.floor(Date.parse(to) / DAY_MS) * DAY_MS - (DAYS - 1) * DAY_MS).toISOString()
      return await bodyOf(api.GET('/admin/api/costs', { params: { query: { prompt_type: promptType, group_by: 'none', interval: 'day', from, to } } }))
    }
  })
  if (data === undefined) return null
  const values = data.items.map(({ cost }) => cost)
  return <Sparkline values={values} label={`Cost of ${promptType} over ${DAYS} days: ${money(values.reduce((sum, value) => sum + value, 0))}`} />
}
