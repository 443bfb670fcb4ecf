import { Group, Paper, Table, Text, TextInput, Title } from '@mantine/core'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { api, bodyOf } from '../api/client.js'
import { formNames } from '../form-text.js'
import type { Range } from '../range.js'
import { useUrlValue } from '../url-state.js'
import { ScrollRegion } from './scroll-region.js'
import { Spent } from './spent.js'
import { Loaded } from './states.js'
import { Change, Money } from './values.js'

/** What the range's tokens would have cost on other models. */
export function WhatIf ({ promptType, range }: { promptType: string, range: Range }) {
  const [text, setText] = useUrlValue('models', '')
  const models = text === '' ? [] : text.split(',')
  const query = useQuery({
    queryKey: ['what-if', promptType, range, text],
    placeholderData: keepPreviousData,
    queryFn: async () => await bodyOf(api.GET('/admin/api/costs/what-if', {
      params: {
        query: {
          prompt_type: promptType, from: range.from, to: range.to, ...(models.length === 0 ? {} : { model: models })
        }
      }
    }))
  })
  return (
    <Paper withBorder p='sm'>
      <Group justify='space-between' mb='xs'>
        <Title order={2}>What if</Title>
        <Text size='xs' c='dimmed'>the same tokens on other models</Text>
      </Group>
      <form
        key={promptType}
        onSubmit={event => {
          event.preventDefault()
          setText(formNames(new FormData(event.currentTarget), 'models').join(','))
        }}
      >
        <TextInput
          name='models' size='xs' mb='xs' aria-label='Models to compare with' placeholder='Other models, separated by commas'
          defaultValue={models.join(', ')} onBlur={event => { event.currentTarget.form?.requestSubmit() }}
        />
      </form>
      <Loaded query={query} what='other models'>
        {({ actual, items }) => (
          <ScrollRegion label='What if'>
            <Table fz='sm' verticalSpacing={4} horizontalSpacing={6}>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>Model</Table.Th>
                  <Table.Th className='number'>Cost</Table.Th>
                  <Table.Th className='number'>Difference</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                <Table.Tr>
                  <Table.Td>as it was</Table.Td>
                  <Table.Td className='number'>
                    <Spent config={{ total_cost: actual.cost, unpriced_calls: actual.unpriced_calls }} />
                  </Table.Td>
                  <Table.Td />
                </Table.Tr>
                {items.map(item => (
                  <Table.Tr key={item.model}>
                    <Table.Td className='name'>{item.model}</Table.Td>
                    <Table.Td className='number'>
                      {item.cost === null
                        ? <Text span size='sm' c='dimmed'>{item.cost_reason?.replaceAll('_', ' ')}</Text>
                        : <Money usd={item.cost} />}
                    </Table.Td>
                    <Table.Td className='number'>
                      {item.difference !== null && actual.cost > 0 && <Change share={item.difference / actual.cost} />}
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </ScrollRegion>
        )}
      </Loaded>
    </Paper>
  )
}
