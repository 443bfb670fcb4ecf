import { Alert, Button, Group, Modal, NativeSelect, Stack, Switch, TextInput } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type SyntheticEvent, useState } from 'react'
import { ApiError, api, bodyOf } from '../api/client.js'
import { changes } from '../changes.js'
import { formNames, formText } from '../form-text.js'
import { done } from '../notify.js'
import { checkTyped } from '../prompt-type-names.js'
import type { Budget } from './budget-bar.js'
import { PromptTypePicker } from './prompt-type-picker.js'

const PERIODS = [
  { value: 'day', label: 'a day (UTC)' }, {
    value: 'week', label: 'a week (from Monday)'
  }, { value: 'month', label: 'a calendar month' }, { value: 'total', label: 'forever' }
]

/** Makes a budget, or changes one: every field as the API takes it, its errors beside the field that they are about. */
export function BudgetForm ({ original, promptType, onClose }: {
  original: Budget | null, promptType: string | null, onClose: () => void
}) {
  const client = useQueryClient()
  const [limit, setLimit] = useState(original === null ? '' : String(original.limit_usd))
  const [type, setType] = useState({ text: promptType ?? '', isPicked: true })
  const [action, setAction] = useState(original?.action ?? 'alert')
  const [strict, setStrict] = useState(original?.strict ?? false)
  const { mutate, error, isPending, reset } = useMutation({
    mutationFn: async (
      fields: {
        name: string
        prompt_type: string | null
        period: Budget['period']
        thresholds: number[]
        webhook_url: string | null
        email: string | null
      }
    ) => {
      const { prompt_type: name } = fields
      if (name !== null && !type.isPicked) await checkTyped(client, name, 'prompt_type')
      const body = { ...fields, limit_usd: Number(limit), action, strict: action === 'block' && strict }
      return original === null
        ? await bodyOf(api.POST('/admin/api/budgets', { body }))
        : await bodyOf(
          api.PATCH('/admin/api/budgets/{id}', { params: { path: { id: original.id } }, body: changes(original, body) })
        )
    },
    onSuccess: async ({ name }) => {
      done(`${name} was saved`)
      onClose()
      await Promise.all([
        client.invalidateQueries({ queryKey: ['budgets'] }), client.invalidateQueries({ queryKey: ['prompt-configs'] })
      ])
    }
  })
  const submit = (event: SyntheticEvent<HTMLFormElement>): void => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const value = (name: string): string | null => {
      const text = formText(form, name)
      return text === '' ? null : text
    }
    mutate({
      name: value('name') ?? '',
      prompt_type: type.text.trim() === '' ? null : type.text.trim(),
      period: (value('period') ?? 'month') as Budget['period'],
      thresholds: formNames(form, 'thresholds').map(Number),
      webhook_url: value('webhook_url'),
      email: value('email')
    })
  }
  const param = error instanceof ApiError ? error.param ?? '' : ''
  const errorOf = (field: string): { error?: string } =>
    error !== null && param.startsWith(field) ? { error: error.message } : {}
  const known = [
    'name', 'prompt_type', 'period', 'limit_usd', 'thresholds', 'webhook_url', 'email'
  ].some(field => param.startsWith(field))
  return (
    <Modal
      opened onClose={onClose} title={original === null ? 'New budget' : `Edit ${original.name}`}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      <form onSubmit={submit}>
        <Stack gap='sm'>
          {error !== null && !known && <Alert color='red' variant='light'>{error.message}</Alert>}
          <TextInput
            name='name' label='Name' description='Its name in alerts and errors' required
            defaultValue={original?.name ?? ''} data-autofocus {...errorOf('name')}
          />
          <PromptTypePicker
            label='Prompt type' description='All traffic, if left out' everything='All traffic' text={type.text} {...errorOf(
              'prompt_type'
            )}
            onChange={(text, isPicked) => {
              setType({ text, isPicked })
              if (param === 'prompt_type') reset()
            }}
          />
          <Group grow align='flex-start'>
            <TextInput
              label='Limit, USD' required inputMode='decimal' value={limit}
              onChange={event => { setLimit(event.currentTarget.value) }} {...errorOf('limit_usd')}
            />
            <NativeSelect
              name='period' label='Period' data={PERIODS} defaultValue={original?.period ?? 'month'}
              {...errorOf('period')}
            />
          </Group>
          <TextInput
            name='thresholds' label='Alerts at, percent' description='Each once a period; separated by commas'
            defaultValue={(original?.thresholds ?? [50, 80, 100]).join(', ')} {...errorOf('thresholds')}
          />
          <NativeSelect
            label='At 100 %' value={action} onChange={event => {
              setAction(event.currentTarget.value === 'block' ? 'block' : 'alert')
            }}
            data={[
              { value: 'alert', label: 'Only alert' }, { value: 'block', label: 'Reject calls until the period ends' }
            ]}
          />
          {action === 'block' && (
            <Switch
              label='Strict'
              description='Also reserve the cost ceiling of each call: concurrent calls in one instance cannot overshoot'
              checked={strict} onChange={event => { setStrict(event.currentTarget.checked) }}
            />
          )}
          <TextInput
            name='webhook_url' type='url' label='Webhook'
            description='Signed as Standard Webhooks; a Slack incoming webhook works as it is'
            defaultValue={original?.webhook_url ?? ''} {...errorOf('webhook_url')}
          />
          <EmailInput initial={original?.email ?? ''} {...errorOf('email')} />
          <Group justify='flex-end'><Button type='submit' size='xs' loading={isPending}>Save</Button></Group>
        </Stack>
      </form>
    </Modal>
  )
}

/** Where alerts go by e-mail; on a gateway that sends none it says so, and takes none but the one that it had. */
function EmailInput ({ initial, error }: { initial: string, error?: string }) {
  const { data } = useQuery({
    queryKey: ['budgets', 'sends-email'],
    queryFn: async () => await bodyOf(api.GET('/admin/api/budgets', { params: { query: { limit: 1 } } }))
  })
  const isSetUp = data?.sends_email !== false
  return (
    <TextInput
      name='email' type='email' label='E-mail' defaultValue={initial} disabled={!isSetUp &&
        initial === ''} error={error}
      description={isSetUp
        ? undefined
        : 'This gateway sends no e-mail yet: set SMTP_URL and ALERT_EMAIL_FROM, and restart it.'}
    />
  )
}
