import { Badge, Paper, Stack, Table, Text, Title } from '@mantine/core'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { Link } from 'wouter'
import { type Schema, api, bodyOf } from '../api/client.js'
import { type Comparison, spanText } from '../comparison.js'
import { useCosts } from '../costs.js'
import { exactMoney, signedMoney } from '../format.js'
import type { Range } from '../range.js'
import { useUrlValues } from '../url-state.js'
import { Breakable } from './breakable.js'
import { useComparison } from './range-picker.js'
import { Loaded } from './states.js'
import { Change, Money } from './values.js'

type Mover = Schema['TopMovers']['items'][number]

const SHOWN = 6

/** A name may break where it must: the figures beside it may not. */
export const NAME = { overflowWrap: 'anywhere' } as const

/** To a prompt type, looked at over the same range. */
export function TypeLink ({ name }: { name: string | null }) {
  const [params] = useUrlValues()
  const range = params.get('range')
  return <Link href={`/prompt-types/${encodeURIComponent(name ?? '')}${range === null ? '' : `?range=${encodeURIComponent(range)}`}`}><Breakable text={name ?? ''} /></Link>
}

/** With which time a range is compared, in words. */
export function ComparedWith ({ compared }: { compared: Comparison | null }) {
  if (compared === null) return <>There is no change to show yet: the first hour of this range is not over.</>
  const { before, now, isPart } = compared
  return isPart
    ? (
      <>
        Changes compare {spanText(now)} with the same part of the period before, {spanText(before)}. The hour that is
        not over does not count.
      </>
      )
    : <>Changes compare with the period before, {spanText(before)}.</>
}

/** What costs more than in the period before, and what costs less; by how many dollars. */
export function TopMovers ({ range }: { range: Range }) {
  const compared = useComparison(range)
  return (
    <Stack gap='md'>
      <Movers
        title='Fastest growing' direction='up' compared={compared}
        nothing='Nothing costs more than in the period before.'
      />
      <Movers
        title='Fastest falling' direction='down' compared={compared}
        nothing='Nothing costs less than in the period before.'
      />
    </Stack>
  )
}

/** Why there is no row: nothing has changed so, or there is nothing to compare with. */
function Nothing ({ compared, otherwise }: { compared: Comparison, otherwise: string }) {
  const { data } = useCosts(compared.before)
  if (data === undefined) return null
  const words = data.totals.calls > 0
    ? otherwise
    : `There is no period before to compare with yet: no call ended in ${spanText(compared.before)}.`
  return <Text size='sm' c='dimmed'>{words}</Text>
}

function Movers ({ title, direction, compared, nothing }: {
  title: string, direction: 'up' | 'down', compared: Comparison | null, nothing: string
}) {
  const query = useQuery({
    queryKey: ['top-movers', direction, compared],
    enabled: compared !== null,
    placeholderData: keepPreviousData,
    refetchInterval: 30_000,
    queryFn: async () => await bodyOf(api.GET('/admin/api/costs/top-movers', {
      params: {
        query: {
          group_by: 'prompt_type',
          direction,
          limit: SHOWN,
          ...(compared === null
            ? {}
            : {
                from: compared.now.from,
                to: compared.now.to,
                previous_from: compared.before.from,
                previous_to: compared.before.to
              })
        }
      }
    }))
  })
  return (
    <Paper withBorder p='sm'>
      <Title order={2} mb='xs'>{title}</Title>
      {compared === null
        ? <Text size='sm' c='dimmed'>The first hour of this range is not over: there is nothing to compare yet.</Text>
        : (
          <Loaded query={query} what='changes'>
            {({ items }) => items.length === 0
              ? <Nothing compared={compared} otherwise={nothing} />
              : <MoversTable title={title} items={items} />}
          </Loaded>
          )}
    </Paper>
  )
}

function MoversTable ({ title, items }: { title: string, items: readonly Mover[] }) {
  return (
    <Table aria-label={title} fz='sm' verticalSpacing={4} horizontalSpacing={6}>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>
            Prompt type
          </Table.Th><Table.Th className='number' visibleFrom='xs'>Before</Table.Th><Table.Th className='number' visibleFrom='xs'>Now</Table.Th>
          <Table.Th className='number' colSpan={2}>Change</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {items.map(item => (
          <Table.Tr key={item.group}>
            <Table.Td style={NAME}><TypeLink name={item.group} /></Table.Td>
            <Table.Td className='number' visibleFrom='xs'><Money usd={item.previous_cost} /></Table.Td>
            <Table.Td className='number' visibleFrom='xs'><Money usd={item.cost} /></Table.Td>
            <Table.Td className='number' title={exactMoney(item.change)}>{signedMoney(item.change)}</Table.Td>
            <Table.Td className='number'>
              {item.change_ratio === null
                ? <Badge size='sm' variant='light'>new</Badge>
                : <Change share={item.change_ratio} />}
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  )
}
