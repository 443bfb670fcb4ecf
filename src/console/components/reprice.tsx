import { Alert, Button, Group, Modal, SimpleGrid, Stack, Switch, Text, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, bodyOf } from '../api/client.js'
import { type RepriceFilter, type Unpriced, priceFromFirstDay } from '../unpriced.js'
import { RepriceOutcome } from './reprice-outcome.js'
import { UtcInput } from './utc-input.js'

/** Computes costs again with the prices known now, and says what they were before and are after, or why they are the same. */
export function Reprice ({ opened, onClose, onPrice }: { opened: boolean, onClose: () => void, onPrice: (unpriced: Unpriced) => void }) {
  const client = useQueryClient()
  const [from, setFrom] = useState<string | null>(null)
  const [to, setTo] = useState<string | null>(null)
  const [promptType, setPromptType] = useState('')
  const [onlyUnpriced, setOnlyUnpriced] = useState(true)
  const { mutate, data, variables, error, isPending, reset } = useMutation({
    mutationFn: async ({ filter, first }: { filter: RepriceFilter, first?: Unpriced }) => {
      if (first !== undefined) await priceFromFirstDay(first)
      return await bodyOf(api.POST('/admin/api/usage-logs/reprice', { body: filter }))
    },
    onSettled: async () => { await client.invalidateQueries() }
  })
  const filter: RepriceFilter = {
    ...(from === null ? {} : { from }),
    ...(to === null ? {} : { to }),
    ...(promptType.trim() === '' ? {} : { prompt_type: promptType.trim() }),
    only_unpriced: onlyUnpriced
  }
  const close = (): void => {
    onClose()
    reset()
  }
  return (
    <Modal opened={opened} onClose={close} title='Reprice calls' closeButtonProps={{ 'aria-label': 'Close' }}>
      <form
        onSubmit={event => {
          event.preventDefault()
          mutate({ filter })
        }}
      >
        <Stack gap='sm'>
          <Text size='sm' c='dimmed'>Costs of logged calls are computed again with the prices known now; statistics, costs and budgets follow in the same transaction.</Text>
          {error !== null && <Alert color='red' variant='light' role='alert'>{error.message}</Alert>}
          {data !== undefined && (
            <RepriceOutcome
              repriced={data} filter={variables.filter}
              onPrice={unpriced => {
                reset()
                onPrice(unpriced)
              }}
              onPriceFromFirstDay={first => { mutate({ filter: variables.filter, first }) }}
            />
          )}
          <SimpleGrid cols={{ base: 1, xs: 2 }} spacing='sm'>
            <UtcInput label='From (UTC)' value={from} onChange={setFrom} />
            <UtcInput label='Before (UTC)' value={to} onChange={setTo} />
          </SimpleGrid>
          <TextInput label='Prompt type' description='All if left out' value={promptType} onChange={event => { setPromptType(event.currentTarget.value) }} />
          <Switch label='Only calls without a cost' checked={onlyUnpriced} onChange={event => { setOnlyUnpriced(event.currentTarget.checked) }} />
          <Group justify='flex-end'><Button type='submit' size='xs' loading={isPending}>Reprice</Button></Group>
        </Stack>
      </form>
    </Modal>
  )
}
