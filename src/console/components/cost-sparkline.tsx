import { useTimeout } from '@mantine/hooks'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { api, bodyOf } from '../api/client.js'
import { money } from '../format.js'
import { rangeOf } from '../range.js'
import { Sparkline } from './chart.js'

const DAYS = 14
const DAY_MS = 86_400_000
/** Rows that only scroll by ask for nothing. */
const SETTLED_MS = 150

/** What a prompt type cost on each of the last days; asked for once its row has stayed in sight. */
export function CostSparkline ({ promptType }: { promptType: string }) {
  const [isSettled, setSettled] = useState(false)
  useTimeout(() => { setSettled(true) }, SETTLED_MS, { autoInvoke: true })
  const { data } = useQuery({
    enabled: isSettled,
    queryKey: ['sparkline', promptType],
    staleTime: 60_000,
    queryFn: async ({ signal }) => {
      const { to } = rangeOf('24h')
      const from = new Date(Math.floor(Date.parse(to) / DAY_MS) * DAY_MS - (DAYS - 1) * DAY_MS).toISOString()
      return await bodyOf(api.GET('/admin/api/costs', { params: { query: { prompt_type: promptType, group_by: 'none', interval: 'day', from, to } }, signal }))
    }
  })
  const values = data?.items.map(({ cost }) => cost) ?? []
  // As high without a line: rows keep their height when it comes.
  return <div className='spark'><Sparkline values={values} label={`Cost of ${promptType} over ${DAYS} days: ${money(values.reduce((sum, value) => sum + value, 0))}`} /></div>
}
