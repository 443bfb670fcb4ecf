import { Alert, Button, Group, Modal, SimpleGrid, Stack, Switch, Text } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { ApiError, api, bodyOf } from '../api/client.js'
import { checkTyped } from '../prompt-type-names.js'
import { type RepriceFilter, type Unpriced, priceFromFirstDay } from '../unpriced.js'
import { PromptTypePicker } from './prompt-type-picker.js'
import { RepriceOutcome } from './reprice-outcome.js'
import { UtcInput } from './utc-input.js'

/** Computes costs again with the prices known now, and says what they were and are, or why they are the same. */
export function Reprice ({ opened, onClose, onPrice }: {
  opened: boolean, onClose: () => void, onPrice: (unpriced: Unpriced) => void
}) {
  const client = useQueryClient()
  const [from, setFrom] = useState<string | null>(null)
  const [to, setTo] = useState<string | null>(null)
  const [type, setType] = useState({ text: '', isPicked: true })
  const [onlyUnpriced, setOnlyUnpriced] = useState(true)
  const { mutate, data, variables, error, isPending, reset } = useMutation({
    mutationFn: async ({ filter, first }: { filter: RepriceFilter, first?: Unpriced }) => {
      if (filter.prompt_type !== undefined &&
        !type.isPicked) await checkTyped(client, filter.prompt_type, 'prompt_type')
      if (first !== undefined) await priceFromFirstDay(first)
      return await bodyOf(api.POST('/admin/api/usage-logs/reprice', { body: filter }))
    },
    onSettled: async () => { await client.invalidateQueries() }
  })
  const filter: RepriceFilter = {
    ...(from === null ? {} : { from }),
    ...(to === null ? {} : { to }),
    ...(type.text.trim() === '' ? {} : { prompt_type: type.text.trim() }),
    only_unpriced: onlyUnpriced
  }
  const isOfType = error instanceof ApiError && error.param === 'prompt_type'
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
          <Text size='sm' c='dimmed'>
            Costs of logged calls are computed again with the prices known now; statistics, costs and budgets follow in
            the same transaction.
          </Text>
          {error !== null && !isOfType && <Alert color='red' variant='light' role='alert'>{error.message}</Alert>}
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
          <PromptTypePicker
            label='Prompt type' description='All, if left out' everything='All prompt types' text={type.text}
            {...(isOfType ? { error: error.message } : {})}
            onChange={(text, isPicked) => {
              setType({ text, isPicked })
              if (isOfType) reset()
            }}
          />
          <Switch
            label='Only calls without a cost' checked={onlyUnpriced}
            onChange={event => { setOnlyUnpriced(event.currentTarget.checked) }}
          />
          <Group justify='flex-end'><Button type='submit' size='xs' loading={isPending}>Reprice</Button></Group>
        </Stack>
      </form>
    </Modal>
  )
}
