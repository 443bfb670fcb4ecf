import { Group, SimpleGrid, Text } from '@mantine/core'
import { untilText } from '../comparison.js'
import { type CostFigures, useCosts } from '../costs.js'
import { change } from '../format.js'
import type { RangeName } from '../range.js'
import { useComparison, useNamedRange } from './range-picker.js'
import { Spent } from './spent.js'
import { Stat } from './stat.js'
import { Change, Money } from './values.js'

/** The day, the ISO week and the month that are now, against the same part of the ones before. */
export function SpendSoFar () {
  return (
    <SimpleGrid cols={{ base: 1, xs: 3 }} spacing='sm'>
      <Spend name='Today (UTC)' range='today' what='yesterday' />
      <Spend name='This week' range='week' what='last week' />
      <Spend name='This month' range='month' what='last month' />
    </SimpleGrid>
  )
}

function Spend ({ name, range: rangeName, what }: { name: string, range: RangeName, what: string }) {
  const range = useNamedRange(rangeName)
  const compared = useComparison(range)
  const [current, now, previous] = [
    useCosts(range), useCosts(compared?.now ?? null), useCosts(compared?.before ?? null)
  ]
  const [spent, spentNow, earlier] = [current, now, previous].map(({ data, isPlaceholderData }) =>
    isPlaceholderData ? undefined : data?.totals)
  return (
    <Stat
      name={name} value={spent === undefined ? current.isError ? '–' : '…' : <Sum of={spent} />}
      note={compared === null
        ? <Text size='xs' c='dimmed'>no full hour yet to compare</Text>
        : spentNow !== undefined && earlier !== undefined && (
          <Against share={change(spentNow.cost, earlier.cost)} what={`${what} until ${untilText(compared.before)}`} />
        )}
    />
  )
}

function Against ({ share, what }: { share: number | null, what: string }) {
  if (share === null) return <Text size='xs' c='dimmed'>no spend {what}</Text>
  return <Group gap={4}><Change share={share} /><Text size='xs' c='dimmed'>vs. {what}</Text></Group>
}

/** A sum to which no call added a price is not zero. Where only some lack one, the figure beside it says how many. */
export function Sum ({ of: { cost, unpriced_calls: unpriced } }: { of: CostFigures }) {
  return cost === 0 ? <Spent config={{ total_cost: cost, unpriced_calls: unpriced }} /> : <Money usd={cost} />
}
