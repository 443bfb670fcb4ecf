import { Alert, Button, Group, Paper, Stack, Switch, Text } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useLocation } from 'wouter'
import { api, bodyOf } from '../api/client.js'
import { done, failed } from '../notify.js'
import { type PromptConfig, type Switches, useSwitch } from '../prompt-configs.js'
import { Confirm } from './confirm.js'
import { Description } from './description.js'
import { Time } from './values.js'

/** That a budget stops a prompt type, and the way to lift it. */
export function Blocked ({ config: { prompt_type: promptType, blocked } }: { config: PromptConfig }) {
  const client = useQueryClient()
  const { mutate, isPending } = useMutation({
    mutationFn: async () => await bodyOf(
      api.POST('/admin/api/prompt-configs/{prompt_type}/unblock', { params: { path: { prompt_type: promptType } } })
    ),
    onSuccess: async changed => {
      client.setQueryData(['prompt-config', promptType], changed)
      done(`${promptType} is let through again`)
      await Promise.all([
        client.invalidateQueries({ queryKey: ['prompt-configs'] }), client.invalidateQueries({ queryKey: ['budgets'] })
      ])
    },
    onError: error => { failed('It is still blocked', error) }
  })
  if (blocked === null) return null
  const { since, until } = blocked
  return (
    <Alert color='red' variant='light' title='Blocked by a budget' role='alert'>
      <Group justify='space-between'>
        <Text size='sm'>
          Its calls are rejected since <Time at={since} />{until === null ? '; this budget has no period that ends.' : <>, until <Time at={until} />.</>}
        </Text>
        <Button size='xs' color='red' loading={isPending} onClick={() => { mutate() }}>
          {until === null ? 'Unblock' : 'Unblock until the next period'}
        </Button>
      </Group>
    </Alert>
  )
}

/** A prompt type's description and switches. `refresh`: what the gateway has by now. */
export function Configuration ({ config, refresh }: {
  config: PromptConfig, refresh: () => Promise<PromptConfig | undefined>
}) {
  const [deleting, setDeleting] = useState(false)
  const { mutate, mutateAsync } = useSwitch()
  const promptType = config.prompt_type
  const set = (changes: Switches): void => { mutate({ promptType, set: changes }) }
  const save = async (description: string): Promise<boolean> =>
    await mutateAsync({ promptType, set: { description } }).then(() => true, () => false)
  return (
    <Paper withBorder p='sm'>
      <Group align='flex-start' gap='lg'>
        <Description config={config} refresh={refresh} save={save} />
        <Switch
          label='Full data' description='Prompt and response go into the usage log' checked={config.track_full_data}
          onChange={event => { set({ track_full_data: event.currentTarget.checked }) }}
        />
        <Switch
          label='Logged' description='Calls get a row in the usage log' checked={config.is_active}
          onChange={event => { set({ is_active: event.currentTarget.checked }) }}
        />
        <Stack gap={4} align='flex-start'>
          <Text size='xs' c='dimmed'>
            Made <Time at={config.created_at} />, changed <Time at={config.updated_at} />
          </Text>
          <Button size='compact-xs' variant='default' onClick={() => { setDeleting(true) }}>Delete…</Button>
        </Stack>
      </Group>
      <Delete promptType={promptType} opened={deleting} onClose={() => { setDeleting(false) }} />
    </Paper>
  )
}

function Delete ({ promptType, opened, onClose }: { promptType: string, opened: boolean, onClose: () => void }) {
  const client = useQueryClient()
  const [, navigate] = useLocation()
  const { mutate, isPending } = useMutation({
    mutationFn: async () => {
      await api.DELETE('/admin/api/prompt-configs/{prompt_type}', { params: { path: { prompt_type: promptType } } })
    },
    onSuccess: async () => {
      done(`${promptType} was deleted`)
      navigate('/prompt-types')
      client.removeQueries({ queryKey: ['prompt-config', promptType] })
      await client.invalidateQueries({ queryKey: ['prompt-configs'] })
    },
    onError: error => { failed('It was not deleted', error) }
  })
  return (
    <Confirm
      opened={opened} title={`Delete ${promptType}?`} action='Delete' pending={isPending} onClose={onClose}
      onConfirm={() => { mutate() }}
    >
      This deletes its switches and statistics. Its usage log and costs stay; its next call creates it again.
    </Confirm>
  )
}
