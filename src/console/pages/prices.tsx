import { Alert, Button, Group, Modal, Paper, SimpleGrid, Stack, Text, TextInput, Title } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type SyntheticEvent, useState } from 'react'
import { type Schema, ApiError, api, bodyOf } from '../api/client.js'
import { Breakable } from '../components/breakable.js'
import { Confirm } from '../components/confirm.js'
import { type Column, DataTable } from '../components/data-table.js'
import { Page } from '../components/page.js'
import { Reprice } from '../components/reprice.js'
import { RowButtons } from '../components/row-buttons.js'
import { Empty, Failure, Loading } from '../components/states.js'
import { UtcInput } from '../components/utc-input.js'
import { Time } from '../components/values.js'
import { formText } from '../form-text.js'
import { count, several, utcHour, utcTime } from '../format.js'
import { type ListPage, after, useList } from '../lists.js'
import { done, failed } from '../notify.js'
import { type Unpriced, beginText, firstDay } from '../unpriced.js'

type Price = Schema['ModelPrice']

const RATES = {
  input: 'Input', cached_input: 'Cached input', output: 'Output', audio_input: 'Audio input', audio_output: 'Audio output'
} as const
type Rate = keyof typeof RATES
/** A model that is to have a price, and the one that it has. */
type Asked = { readonly model: string, readonly unpriced?: Unpriced } & Partial<Record<Rate, number | null>>
const REQUIRED: ReadonlySet<string> = new Set<Rate>(['input', 'output'])

/** Prices of an operator's own, the models that need one, and costs computed again. */
export default function Prices () {
  const [asked, setAsked] = useState<Asked | null>(null)
  const [repricing, { open: openReprice, close: closeReprice }] = useDisclosure(false)
  return (
    <Page
      title='Prices'
      actions={(
        <>
          <Button size='xs' variant='default' onClick={openReprice}>Reprice…</Button>
          <Button size='xs' onClick={() => { setAsked({ model: '' }) }}>Set a price</Button>
        </>
      )}
    >
      <Text size='sm' c='dimmed' maw='70ch'>
        OpenAI's prices are built in. Your own price overrides them, for calls from its date on; earlier calls
        change only when you reprice.
      </Text>
      <UnpricedModels onPrice={setAsked} onReprice={openReprice} />
      <OwnPrices onPrice={setAsked} />
      {asked !== null && <SetPrice asked={asked} onClose={() => { setAsked(null) }} />}
      <Reprice
        opened={repricing} onClose={closeReprice}
        onPrice={unpriced => {
          closeReprice()
          setAsked({ model: unpriced.model, unpriced })
        }}
      />
    </Page>
  )
}

function UnpricedModels ({ onPrice, onReprice }: { onPrice: (asked: Asked) => void, onReprice: () => void }) {
  const { query, rows, total } = useList<Unpriced>(['unpriced-models'], async cursor =>
    await bodyOf<ListPage<Unpriced>>(
      api.GET('/admin/api/unpriced-models', { params: { query: { limit: 100, ...after(cursor) } } })
    ))
  if (query.isError) return <Failure error={query.error} onRetry={() => { void query.refetch() }} />
  if (rows.length === 0) return null
  return (
    <Paper withBorder p='sm'>
      <Title order={2} mb='xs'>Models that need a price</Title>
      <Stack gap={6}>
        {rows.map(row => (
          <Group key={row.model} gap='sm' justify='space-between'>
            <Group gap='sm'>
              <Text size='sm' fw={600} style={{ overflowWrap: 'anywhere' }}>{row.model}</Text>
              <Text size='sm' c='dimmed'>
                {several(row.unpriced_calls, 'unpriced call')}, the last one {utcHour(row.last_seen)}
              </Text>
            </Group>
            {row.has_price
              ? (
                <Button
                  size='compact-xs' variant='default' onClick={onReprice}
                  aria-label={`${row.model} has a price now: reprice its calls`}
                >
                  Has a price: reprice
                </Button>
                )
              : (
                <Button
                  size='compact-xs' variant='default' onClick={() => { onPrice({ model: row.model, unpriced: row }) }}
                  aria-label={`Set a price for ${row.model}`}
                >
                  Set a price
                </Button>
                )}
          </Group>
        ))}
      </Stack>
      {query.hasNextPage && (
        <Button
          mt='xs' size='compact-xs' variant='default' loading={query.isFetchingNextPage}
          onClick={() => { void query.fetchNextPage() }}
        >
          Show more of {count(total)}
        </Button>
      )}
    </Paper>
  )
}

function OwnPrices ({ onPrice }: { onPrice: (asked: Asked) => void }) {
  const client = useQueryClient()
  const [deleting, setDeleting] = useState<Price | null>(null)
  const { query, rows, total } = useList<Price>(['prices'], async cursor =>
    await bodyOf<ListPage<Price>>(
      api.GET('/admin/api/prices', { params: { query: { limit: 100, ...after(cursor) } } })
    ))
  const { mutate, isPending } = useMutation({
    mutationFn: async (model: string) => {
      await api.DELETE('/admin/api/prices/{model}', { params: { path: { model } } })
    },
    onSuccess: async (_answer, model) => {
      done(`${model} has no price of your own any more`)
      setDeleting(null)
      await Promise.all([
        client.invalidateQueries({ queryKey: ['prices'] }), client.invalidateQueries({ queryKey: ['unpriced-models'] })
      ])
    },
    onError: error => { failed('The price was not deleted', error) }
  })
  const rate = (key: Rate): Column<Price> => ({
    key,
    header: `${RATES[key]}, $/M`,
    shortHeader: key === 'input' ? 'In, $/M' : 'Out, $/M',
    isNumber: true,
    isWideOnly: !REQUIRED.has(key),
    render: price => price[key] ?? '–'
  })
  const columns: ReadonlyArray<Column<Price>> = [
    {
      key: 'model',
      header: 'Model',
      render: price => <Breakable text={price.model} isCut />,
      note: price => <>from <Time at={price.effective_from} /></>
    },
    rate('input'), rate('cached_input'), rate('output'), rate('audio_input'), rate('audio_output'),
    { key: 'from', header: 'From (UTC)', isWideOnly: true, render: price => <Time at={price.effective_from} isBare /> },
    {
      key: 'actions',
      header: 'Actions',
      isHeaderHidden: true,
      render: price => (
        <RowButtons>
          <Button
            size='compact-xs' variant='default' aria-label={`Change the price of ${price.model}`}
            onClick={() => { onPrice(price) }}
          >
            Change
          </Button>
          <Button
            size='compact-xs' variant='default' color='red' aria-label={`Delete the price of ${price.model}`}
            onClick={() => { setDeleting(price) }}
          >
            Delete
          </Button>
        </RowButtons>
      )
    }
  ]
  if (query.data === undefined) {
    return query.isError
      ? <Failure error={query.error} onRetry={() => { void query.refetch() }} />
      : <Loading what='prices' />
  }
  return (
    <>
      {rows.length === 0
        ? (
          <Empty title='No prices of your own'>
            <Text size='sm' c='dimmed'>The built-in prices apply to all models they know.</Text>
          </Empty>
          )
        : (
          <DataTable
            label='Own prices' columns={columns} rows={rows} keyOf={price => `${price.model} ${price.effective_from}`}
            total={total} hasMore={query.hasNextPage} onMore={() => { void query.fetchNextPage() }}
          />
          )}
      <Confirm
        opened={deleting !== null} title={`Delete the prices of ${deleting?.model ?? ''}?`} action='Delete' pending={isPending}
        onClose={() => { setDeleting(null) }} onConfirm={() => { if (deleting !== null) mutate(deleting.model) }}
      >
        All of the model's own prices go; the built-in one applies to the next call. What calls have cost stays in the
        books.
      </Confirm>
    </>
  )
}

/** A price from now on is none for the calls that wait for one: offers the day of the first of them. */
function FromFirstCall ({ unpriced, onChoose }: { unpriced: Unpriced, onChoose: (instant: string) => void }) {
  const day = firstDay(unpriced)
  return (
    <Group gap='xs'>
      <Text size='xs' c='dimmed'>
        {several(
          unpriced.unpriced_calls, 'call'
        )} without a cost, the first one {beginText(unpriced)}. For these the price must hold from then on.
      </Text>
      <Button size='compact-xs' variant='default' onClick={() => { onChoose(day) }}>From {utcTime(day)}</Button>
    </Group>
  )
}

function SetPrice ({ asked, onClose }: { asked: Asked, onClose: () => void }) {
  const client = useQueryClient()
  const [effectiveFrom, setEffectiveFrom] = useState<string | null>(null)
  const { mutate, error, isPending } = useMutation({
    mutationFn: async ({ name, rates }: { name: string, rates: Partial<Record<Rate, number>> }) => {
      const { input = 0, output = 0, ...others } = rates
      const body = { input, output, ...others, ...(effectiveFrom === null ? {} : { effective_from: effectiveFrom }) }
      return await bodyOf(api.PUT('/admin/api/prices/{model}', { params: { path: { model: name } }, body }))
    },
    onSuccess: async (_price, { name }) => {
      done(`${name} has its price`)
      onClose()
      await Promise.all([
        client.invalidateQueries({ queryKey: ['prices'] }), client.invalidateQueries({ queryKey: ['unpriced-models'] })
      ])
    }
  })
  const submit = (event: SyntheticEvent<HTMLFormElement>): void => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const rates = Object.fromEntries(
      (Object.keys(RATES) as Rate[]).map(key => [key, formText(form, key)] as const).filter(([, text]) => text !== '')
        .map(([key, text]) => [key, Number(text)])
    )
    mutate({ name: formText(form, 'model'), rates })
  }
  const param = error instanceof ApiError ? error.param ?? '' : ''
  const errorOf = (field: string): { error?: string } =>
    error !== null && param === field ? { error: error.message } : {}
  const isBesideField = [...Object.keys(RATES), 'model', 'effective_from'].includes(param)
  return (
    <Modal
      opened onClose={onClose} title={asked.model === '' ? 'Set a price' : `Set a price for ${asked.model}`}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      <form onSubmit={submit}>
        <Stack gap='sm'>
          {error !== null && !isBesideField && <Alert color='red' variant='light'>{error.message}</Alert>}
          <TextInput
            name='model' label='Model' description='As calls name it; includes its dated snapshots' required
            defaultValue={asked.model} data-autofocus={asked.model === '' || undefined} {...errorOf('model')}
          />
          <SimpleGrid cols={2} spacing='sm' style={{ alignItems: 'end' }}>
            {(Object.keys(RATES) as Rate[]).map(key => (
              <TextInput
                key={key} name={key} label={RATES[key]} description='USD per million tokens' inputMode='decimal' pattern='[0-9]*[.]?[0-9]*' required={REQUIRED.has(
                  key
                )}
                defaultValue={asked[key] ?? ''} data-autofocus={(asked.model !== '' && key === 'input') ||
                  undefined} {...errorOf(key)}
              />
            ))}
          </SimpleGrid>
          <UtcInput
            name='effective_from' label='From (UTC)' description='Now, if left out' value={effectiveFrom}
            onChange={setEffectiveFrom} {...errorOf('effective_from')}
          />
          {asked.unpriced !== undefined && <FromFirstCall unpriced={asked.unpriced} onChoose={setEffectiveFrom} />}
          <Group justify='flex-end'><Button type='submit' size='xs' loading={isPending}>Save</Button></Group>
        </Stack>
      </form>
    </Modal>
  )
}
