import { Alert, Button, Group, Modal, Stack, Switch, Text, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type SyntheticEvent, useState } from 'react'
import { api, bodyOf } from '../api/client.js'
import { formText } from '../form-text.js'
import { several } from '../format.js'
import { Money } from './values.js'

/** Computes costs again with the prices known now, and says what they were before and are after. */
export function Reprice ({ opened, onClose }: { opened: boolean, onClose: () => void }) {
  const client = useQueryClient()
  const [onlyUnpriced, setOnlyUnpriced] = useState(true)
  const { mutate, data, error, isPending, reset } = useMutation({
    mutationFn: async (filter: { from?: string, to?: string, prompt_type?: string }) =>
      await bodyOf(api.POST('/admin/api/usage-logs/reprice', { body: { ...filter, only_unpriced: onlyUnpriced } })),
    onSuccess: async () => { await client.invalidateQueries() }
  })
  const submit = (event: SyntheticEvent<HTMLFormElement>): void => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const value = (name: string): string => formText(form, name)
    mutate({
      ...(value('from') === '' ? {} : { from: `${value('from')}T00:00:00Z` }),
      ...(value('to') === '' ? {} : { to: `${value('to')}T00:00:00Z` }),
      ...(value('prompt_type') === '' ? {} : { prompt_type: value('prompt_type') })
    })
  }
  const close = (): void => {
    onClose()
    reset()
  }
  return (
    <Modal opened={opened} onClose={close} title='Reprice calls' closeButtonProps={{ 'aria-label': 'Close' }}>
      <form onSubmit={submit}>
        <Stack gap='sm'>
          <Text size='sm' c='dimmed'>Costs of logged calls are computed again with the prices known now; statistics, costs and budgets follow in the same transaction.</Text>
          {error !== null && <Alert color='red' variant='light'>{error.message}</Alert>}
          {data !== undefined && (
            <Alert color='teal' variant='light' title={`${several(data.rows, 'call')} ${data.rows === 1 ? 'has' : 'have'} a new cost`} role='status'>
              <Group gap={6}><span>before <Money usd={data.cost_before} /></span><span aria-hidden>→</span><span>after <Money usd={data.cost_after} /></span></Group>
            </Alert>
          )}
          <Group grow>
            <TextInput name='from' type='date' label='From (UTC)' />
            <TextInput name='to' type='date' label='Before (UTC)' />
          </Group>
          <TextInput name='prompt_type' label='Prompt type' description='All if left out' />
          <Switch label='Only calls without a cost' checked={onlyUnpriced} onChange={event => { setOnlyUnpriced(event.currentTarget.checked) }} />
          <Group justify='flex-end'><Button type='submit' size='xs' loading={isPending}>Reprice</Button></Group>
        </Stack>
      </form>
    </Modal>
  )
}
