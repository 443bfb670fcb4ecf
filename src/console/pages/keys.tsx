import { Alert, Badge, Button, Code, Group, Modal, Stack, Tabs, Text, TextInput } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { type QueryClient, useMutation, useQueryClient } from '@tanstack/react-query'
import { type SyntheticEvent, useState } from 'react'
import { type Schema, ApiError, api, bodyOf } from '../api/client.js'
import { changes } from '../changes.js'
import { Breakable } from '../components/breakable.js'
import { Confirm } from '../components/confirm.js'
import { Copy } from '../components/copy.js'
import { type Column, DataTable } from '../components/data-table.js'
import { Page } from '../components/page.js'
import { type PickedTypes, PromptTypesPicker } from '../components/prompt-types-picker.js'
import { RowButtons } from '../components/row-buttons.js'
import { Empty, Failure, Loading } from '../components/states.js'
import { UtcInput } from '../components/utc-input.js'
import { Time } from '../components/values.js'
import { formText } from '../form-text.js'
import { type ListPage, after, useList } from '../lists.js'
import { done, failed } from '../notify.js'
import { checkTyped } from '../prompt-type-names.js'

type Key = Schema['GatewayKey']
type KeyPage = ListPage<Key> & { accepted: boolean }
const KEYS = ['keys']

/** Keys that callers use while the gateway holds the upstream's. */
export default function Keys () {
  const [opened, { open, close }] = useDisclosure(false)
  const [editing, setEditing] = useState<Key | null>(null)
  const [revoking, setRevoking] = useState<Key | null>(null)
  const { query, rows, total } = useList<Key, KeyPage>(KEYS, async cursor =>
    await bodyOf<KeyPage>(api.GET('/admin/api/keys', { params: { query: { limit: 200, ...after(cursor) } } })))
  const columns: ReadonlyArray<Column<Key>> = [
    {
      key: 'name',
      header: 'Name',
      render: key => key.name,
      note: key =>
        <>{key.user !== null && `${key.user} · `}{key.allowed_prompt_types === null
          ? 'all prompt types'
          : <Breakable text={key.allowed_prompt_types.join(', ')} isCut />}
        </>
    },
    { key: 'user', header: 'User', isWideOnly: true, render: key => key.user ?? '–' },
    {
      key: 'allowed',
      header: 'Prompt types',
      isWideOnly: true,
      render: key =>
        key.allowed_prompt_types === null
          ? 'all'
          : (
            <Group gap={4}>
              {key.allowed_prompt_types.map(type =>
                <Badge key={type} size='sm' miw='max-content' variant='light' tt='none'>{type}</Badge>)}
            </Group>
            )
    },
    { key: 'expires', header: 'Expires (UTC)', render: key => <Expiry at={key.expires_at} /> },
    { key: 'created', header: 'Made (UTC)', isWideOnly: true, render: key => <Time at={key.created_at} isBare /> },
    { key: 'used', header: 'Last used (UTC)', isWideOnly: true, render: key => <Time at={key.last_used_at} isBare /> },
    {
      key: 'actions',
      header: 'Actions',
      isHeaderHidden: true,
      render: key => (
        <RowButtons>
          <Button
            size='compact-xs' variant='default' aria-label={`Edit ${key.name}`} onClick={() => { setEditing(key) }}
          >
            Edit
          </Button>
          <Button
            size='compact-xs' variant='default' color='red' aria-label={`Revoke ${key.name}`}
            onClick={() => { setRevoking(key) }}
          >
            Revoke
          </Button>
        </RowButtons>
      )
    }
  ]
  return (
    <Page title='Keys' actions={<Button size='xs' onClick={open}>New key</Button>}>
      <Text size='sm' c='dimmed' maw='70ch'>
        With UPSTREAM_API_KEY set, the gateway holds the key of the upstream, and callers send one of these instead. A
        revoked key is rejected within a second.
      </Text>
      {query.data?.pages[0]?.accepted === false && <NotAccepted />}
      {query.data === undefined &&
        (query.isError
          ? <Failure error={query.error} onRetry={() => { void query.refetch() }} />
          : <Loading what='keys' />)}
      {query.data !== undefined && rows.length === 0 && (
        <Empty title='There are no keys yet'><Button size='xs' onClick={open}>Create the first one</Button></Empty>
      )}
      {rows.length > 0 && (
        <DataTable
          label='Keys' columns={columns} rows={rows} keyOf={key => key.id} total={total} hasMore={query.hasNextPage}
          onMore={() => { void query.fetchNextPage() }}
        />
      )}
      <NewKey opened={opened} accepted={query.data?.pages[0]?.accepted !== false} onClose={close} />
      {editing !== null && <EditKey key={editing.id} original={editing} onClose={() => { setEditing(null) }} />}
      <RevokeKey original={revoking} onClose={() => { setRevoking(null) }} />
    </Page>
  )
}

/** That a key made here does not work yet, and what to do. */
function NotAccepted () {
  return (
    <Alert color='orange' variant='light' title='Gateway keys do not work on this gateway yet' role='alert'>
      It has no UPSTREAM_API_KEY, so calls with a gateway key get 401. Set UPSTREAM_API_KEY and restart the gateway;
      until then callers send the upstream's own key.
    </Alert>
  )
}

function Expiry ({ at }: { at: string | null }) {
  if (at === null) return <>never</>
  return Date.parse(at) > Date.now() ? <Time at={at} isBare /> : <Badge size='sm' color='gray'>expired</Badge>
}

interface KeyFields { name: string, user: string | null, allowed_prompt_types: string[] | null, expires_at: string | null }
/** `typed`: one more prompt type, which was not picked. */
type FormFields = KeyFields & { typed: string }

/** The fields as the API takes them. Rejects where what was typed is no prompt type that a call had. */
async function checked (client: QueryClient, { typed, ...fields }: FormFields): Promise<KeyFields> {
  if (typed === '') return fields
  await checkTyped(client, typed, 'allowed_prompt_types')
  return { ...fields, allowed_prompt_types: [...new Set([...fields.allowed_prompt_types ?? [], typed])] }
}

/** The fields of a key, as a form gives them; `errors` are said beside the field that they are about. */
function KeyForm ({ initial, action, error, pending, onSubmit }: {
  initial: KeyFields, action: string, error: Error | null, pending: boolean, onSubmit: (fields: FormFields) => void
}) {
  const [expiresAt, setExpiresAt] = useState(initial.expires_at)
  const [picked, setPicked] = useState<PickedTypes>({ types: initial.allowed_prompt_types ?? [], typed: '' })
  const param = error instanceof ApiError ? error.param ?? '' : ''
  const errorOf = (field: string): { error?: string } =>
    error !== null && param.startsWith(field) ? { error: error.message } : {}
  const isBesideField = ['name', 'user', 'allowed_prompt_types', 'expires_at'].some(field => param.startsWith(field))
  const submit = (event: SyntheticEvent<HTMLFormElement>): void => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const value = (name: string): string => formText(form, name)
    onSubmit({
      name: value('name'),
      user: value('user') === '' ? null : value('user'),
      allowed_prompt_types: picked.types.length === 0 ? null : [...picked.types],
      typed: picked.typed.trim(),
      expires_at: expiresAt
    })
  }
  return (
    <form onSubmit={submit}>
      <Stack gap='sm'>
        {error !== null && !isBesideField && <Alert color='red' variant='light'>{error.message}</Alert>}
        <TextInput
          name='name' label='Name' description='Who or what uses it' required defaultValue={initial.name} data-autofocus
          {...errorOf('name')}
        />
        <TextInput
          name='user' label='User' description='The user of calls that name none. Default: the name'
          defaultValue={initial.user ?? ''} {...errorOf('user')}
        />
        <PromptTypesPicker value={picked} onChange={setPicked} {...errorOf('allowed_prompt_types')} />
        <UtcInput
          name='expires_at' label='Expires (UTC)' description='Never if left out' value={expiresAt}
          onChange={setExpiresAt} {...errorOf('expires_at')}
        />
        <Group justify='flex-end'><Button type='submit' size='xs' loading={pending}>{action}</Button></Group>
      </Stack>
    </form>
  )
}

function NewKey ({ opened, accepted, onClose }: { opened: boolean, accepted: boolean, onClose: () => void }) {
  const client = useQueryClient()
  const { mutate, data, error, isPending, reset } = useMutation({
    mutationFn: async (fields: FormFields) =>
      await bodyOf(api.POST('/admin/api/keys', { body: await checked(client, fields) })),
    onSuccess: async () => { await client.invalidateQueries({ queryKey: KEYS }) }
  })
  const close = (): void => {
    onClose()
    reset()
  }
  return (
    <Modal
      opened={opened} onClose={close} title={data === undefined ? 'New key' : 'The new key'} size='lg'
      closeOnClickOutside={data === undefined} closeButtonProps={{ 'aria-label': 'Close' }}
    >
      {!accepted && <Stack mb='sm'><NotAccepted /></Stack>}
      {data === undefined
        ? (
          <KeyForm
            initial={{ name: '', user: null, allowed_prompt_types: null, expires_at: null }} action='Create key'
            error={error} pending={isPending} onSubmit={mutate}
          />
          )
        : <MadeKey secret={data.key} promptType={data.allowed_prompt_types?.[0] ?? 'hello'} onClose={close} />}
    </Modal>
  )
}

function MadeKey ({ secret, promptType, onClose }: { secret: string, promptType: string, onClose: () => void }) {
  const { origin } = window.location
  const lines = {
    Python: `from openai import OpenAI

client = OpenAI(base_url="${origin}/v1", api_key="${secret}",
                default_headers={"X-Prompt-Type": "${promptType}"})
print(client.chat.completions.create(model="gpt-4o-mini",
    messages=[{"role": "user", "content": "Say hello."}]).choices[0].message.content)`,
    Node: `import OpenAI from 'openai'

const client = new OpenAI({ baseURL: '${origin}/v1', apiKey: '${secret}',
  defaultHeaders: { 'X-Prompt-Type': '${promptType}' } })
const answer = await client.chat.completions.create({ model: 'gpt-4o-mini',
  messages: [{ role: 'user', content: 'Say hello.' }] })
console.log(answer.choices[0].message.content)`,
    curl: `curl ${origin}/v1/chat/completions \\
  -H "Authorization: Bearer ${secret}" -H "Content-Type: application/json" -H "X-Prompt-Type: ${promptType}" \\
  -d '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Say hello."}]}'`
  }
  return (
    <Stack gap='sm'>
      <Alert color='orange' variant='light'>It is shown only once: only its hash is stored.</Alert>
      <Group gap='xs' wrap='nowrap'>
        <Code block style={{ flex: 1, overflowWrap: 'anywhere', whiteSpace: 'pre-wrap' }}>{secret}</Code>
        <Copy value={secret} label='Copy key' />
      </Group>
      <Tabs defaultValue='Python'>
        <Tabs.List>{Object.keys(lines).map(name => <Tabs.Tab key={name} value={name}>{name}</Tabs.Tab>)}</Tabs.List>
        {Object.entries(lines).map(([name, text]) => (
          <Tabs.Panel key={name} value={name} pt='xs'>
            <Stack gap='xs' align='flex-start'>
              <Code block w='100%'>{text}</Code>
              <Copy value={text} label='Copy lines' />
            </Stack>
          </Tabs.Panel>
        ))}
      </Tabs>
      <Group justify='flex-end'><Button size='xs' onClick={onClose}>I have stored it</Button></Group>
    </Stack>
  )
}

function EditKey ({ original, onClose }: { original: Key, onClose: () => void }) {
  const client = useQueryClient()
  const { mutate, error, isPending } = useMutation({
    mutationFn: async (fields: FormFields) => await bodyOf(api.PATCH('/admin/api/keys/{id}', {
      params: { path: { id: original.id } }, body: changes<KeyFields>(original, await checked(client, fields))
    })),
    onSuccess: async ({ name }) => {
      done(`${name} was changed`)
      onClose()
      await client.invalidateQueries({ queryKey: KEYS })
    }
  })
  return (
    <Modal opened onClose={onClose} title={`Edit ${original.name}`} closeButtonProps={{ 'aria-label': 'Close' }}>
      <KeyForm initial={original} action='Save' error={error} pending={isPending} onSubmit={mutate} />
    </Modal>
  )
}

function RevokeKey ({ original, onClose }: { original: Key | null, onClose: () => void }) {
  const client = useQueryClient()
  const { mutate, isPending } = useMutation({
    mutationFn: async (id: string) => { await api.DELETE('/admin/api/keys/{id}', { params: { path: { id } } }) },
    onSuccess: async () => {
      done(`${original?.name ?? 'The key'} was revoked`)
      onClose()
      await client.invalidateQueries({ queryKey: KEYS })
    },
    onError: error => { failed('The key was not revoked', error) }
  })
  return (
    <Confirm
      opened={original !== null} title={`Revoke ${original?.name ?? ''}?`} action='Revoke' pending={isPending}
      onClose={onClose} onConfirm={() => { if (original !== null) mutate(original.id) }}
    >
      Calls with it are rejected within a second, for good. Its past use stays in the books.
    </Confirm>
  )
}
