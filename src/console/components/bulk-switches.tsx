import { Button, Group, Paper, SegmentedControl, Text } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, bodyOf } from '../api/client.js'
import { count, several } from '../format.js'
import { done, failed } from '../notify.js'
import type { PromptConfigQuery, Switches } from '../prompt-configs.js'

/** Switches what is selected (something is), or all that the filters match, at once: all of it or nothing. */
export function BulkSwitches ({ selected, total, query, onDone }: {
  selected: ReadonlySet<string>, total: number, query: PromptConfigQuery, onDone: () => void
}) {
  const client = useQueryClient()
  const [scope, setScope] = useState<'selected' | 'all'>('selected')
  const { mutate, isPending } = useMutation({
    mutationFn: async (set: Switches) => {
      const { sort: _sort, ...filter } = query
      const which = scope === 'all' ? { filter } : { prompt_types: [...selected] }
      return await bodyOf(api.POST('/admin/api/prompt-configs/bulk', { body: { ...which, set } }))
    },
    onSuccess: async ({ updated }) => {
      done(`${several(updated, 'prompt type')} changed`)
      onDone()
      await client.invalidateQueries({ queryKey: ['prompt-configs'] })
    },
    onError: error => { failed('Nothing was changed', error) }
  })
  const button = (label: string, set: Switches) =>
    <Button size='compact-xs' variant='default' loading={isPending} onClick={() => { mutate(set) }}>{label}</Button>
  return (
    <Paper withBorder p='xs' role='group' aria-label='Change many at once'>
      <Group gap='sm'>
        <SegmentedControl
          size='xs' value={scope} onChange={value => { setScope(value === 'all' ? 'all' : 'selected') }}
          data={[
            { value: 'selected', label: `${count(selected.size)} selected` },
            { value: 'all', label: `All ${count(total)} that match` }
          ]}
        />
        <Text size='xs' c='dimmed'>
          Full data
        </Text>{button('Store', { track_full_data: true })}{button('Do not store', { track_full_data: false })}
        <Text size='xs' c='dimmed'>
          Log
        </Text>{button('Write', { is_active: true })}{button('Do not write', { is_active: false })}
        <Button size='compact-xs' variant='subtle' onClick={onDone}>Clear selection</Button>
      </Group>
    </Paper>
  )
}
