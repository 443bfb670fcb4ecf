import { Alert, Button, Group, Stack, Text } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { type Schema, api, bodyOf } from '../api/client.js'
import { several, utcTime } from '../format.js'
import type { ListPage } from '../lists.js'
import { type RepriceFilter, type Unpriced, beginText, firstDay } from '../unpriced.js'
import { Money } from './values.js'

const SHOWN = 5

export interface RepriceOutcomeProps {
  readonly repriced: Schema['Repriced']
  /** Which calls were looked at. */
  readonly filter: RepriceFilter
  readonly onPrice: (unpriced: Unpriced) => void
  readonly onPriceFromFirstDay: (unpriced: Unpriced) => void
}

/** What a repricing has changed; and of the models whose calls still have no cost, why, and what to do. */
export function RepriceOutcome ({
  repriced: { rows, cost_before: before, cost_after: after }, filter, onPrice, onPriceFromFirstDay
}: RepriceOutcomeProps) {
  // Asked for anew by each repricing, for it changes everything.
  const { data } = useQuery({
    queryKey: ['unpriced-models', 'left'],
    queryFn: async () => await bodyOf<ListPage<Unpriced>>(
      api.GET('/admin/api/unpriced-models', { params: { query: { limit: SHOWN } } })
    )
  })
  const left = data?.items ?? []
  return (
    <Alert
      color={rows === 0 ? 'gray' : 'teal'} variant='light'
      title={`${several(rows, 'call')} ${rows === 1 ? 'has' : 'have'} a new cost`} role='status'
    >
      <Stack gap='xs'>
        {rows > 0 && (
          <Group gap={6}>
            <span>before <Money usd={before} /></span>
            <span aria-hidden>→</span>
            <span>after <Money usd={after} /></span>
          </Group>
        )}
        {rows === 0 && data !== undefined && <Text size='sm'>{reason(filter, left.length)}</Text>}
        {rows > 0 && left.length > 0 && <Text size='sm'>Other calls still have no cost:</Text>}
        {left.map(unpriced => <Left key={unpriced.model} {...{ unpriced, filter, onPrice, onPriceFromFirstDay }} />)}
        {data !== undefined && data.total > left.length && (
          <Text size='sm'>{several(data.total - left.length, 'more model')} without a cost: see Prices.</Text>
        )}
      </Stack>
    </Alert>
  )
}

const isNarrowed = ({ from, to, prompt_type: promptType }: RepriceFilter): boolean =>
  [from, to, promptType].some(value => value !== undefined)

/** Why nothing has changed, all in all. */
function reason (filter: RepriceFilter, leftModels: number): string {
  const looked = isNarrowed(filter) ? 'that was looked at ' : ''
  if (!filter.only_unpriced) return `Each call ${looked}already costs what the prices say, or no price is known for it.`
  return leftModels === 0
    ? 'Nothing to do: each call that can have a cost has one.'
    : `No call ${looked}without a cost has a price for its time.`
}

function Left ({
  unpriced, filter, onPrice, onPriceFromFirstDay
}: Omit<RepriceOutcomeProps, 'repriced'> & { unpriced: Unpriced }) {
  const { model, unpriced_calls: calls, later_price: later, has_price: hasPrice } = unpriced
  const name = model === '' ? 'Calls without a model' : model
  const text = (why: string, label?: string, onClick?: () => void) => (
    <Group gap='xs'>
      <Text size='sm' style={{ overflowWrap: 'anywhere' }}><b>{name}</b> ({several(calls, 'call')}): {why}</Text>
      {onClick !== undefined && (
        <Button
          size='compact-xs' variant='default' h='auto' mih={22} styles={{ label: { whiteSpace: 'normal' } }}
          onClick={onClick}
        >
          {label}
        </Button>
      )}
    </Group>
  )
  if (later !== null) {
    const from = utcTime(later.effective_from)
    return text(`its price applies from ${from} on, but the first of these calls began ${beginText(unpriced)}.`,
      `Apply it from ${utcTime(firstDay(unpriced))} and reprice`, () => { onPriceFromFirstDay(unpriced) })
  }
  if (!hasPrice && model !== '') return text('it has no price.', 'Set a price', () => { onPrice(unpriced) })
  if (isNarrowed(filter)) {
    return text(
      'they are of other times or another prompt type than those above, or they cannot be priced.'
    )
  }
  return text('they cannot be priced. Their tokens are not known, or they are not in the usage log.')
}
