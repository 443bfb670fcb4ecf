import { Badge, Button, Group, SegmentedControl, Stack, Text } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { Link } from 'wouter'
import { api, bodyOf } from '../api/client.js'
import { Alerts } from '../components/alerts.js'
import { Breakable } from '../components/breakable.js'
import { BudgetBar, type Budget } from '../components/budget-bar.js'
import { BudgetForm } from '../components/budget-form.js'
import { Confirm } from '../components/confirm.js'
import { type Column, DataTable } from '../components/data-table.js'
import { Page } from '../components/page.js'
import { RowButtons } from '../components/row-buttons.js'
import { Empty, Failure, Loading } from '../components/states.js'
import { Time } from '../components/values.js'
import { type ListPage, after, useList } from '../lists.js'
import { done, failed } from '../notify.js'
import { useUrlValues } from '../url-state.js'

/** What may be spent, and what was said when it was. */
export default function Budgets () {
  const [params, change] = useUrlValues()
  const view = params.get('view') === 'alerts' ? 'alerts' : 'budgets'
  const asked = params.get('new')
  return (
    <Page
      title='Budgets and alerts'
      actions={<Button size='xs' onClick={() => { change({ new: 'all' }) }}>New budget</Button>}
    >
      <SegmentedControl
        size='xs' w='fit-content' aria-label='Show' value={view} onChange={value => {
          change({ view: value === 'alerts' ? 'alerts' : null })
        }}
        data={[{ value: 'budgets', label: 'Budgets' }, { value: 'alerts', label: 'Alerts' }]}
      />
      {view === 'alerts' ? <Alerts /> : <BudgetList />}
      {asked !== null && (
        <BudgetForm
          original={null} promptType={asked === 'all' ? null : asked} onClose={() => { change({ new: null }) }}
        />
      )}
    </Page>
  )
}

function BudgetList () {
  const client = useQueryClient()
  const [editing, setEditing] = useState<Budget | null>(null)
  const [deleting, setDeleting] = useState<Budget | null>(null)
  const { query, rows, total } = useList<Budget>(['budgets'], async cursor =>
    await bodyOf<ListPage<Budget>>(
      api.GET('/admin/api/budgets', { params: { query: { limit: 200, ...after(cursor) } } })
    ))
  const remove = useMutation({
    mutationFn: async (id: string) => { await api.DELETE('/admin/api/budgets/{id}', { params: { path: { id } } }) },
    onSuccess: async () => {
      done(`${deleting?.name ?? 'The budget'} was deleted`)
      setDeleting(null)
      await client.invalidateQueries({ queryKey: ['budgets'] })
    },
    onError: error => { failed('The budget was not deleted', error) }
  })
  const columns: ReadonlyArray<Column<Budget>> = [
    {
      key: 'name',
      header: 'Name',
      render: budget => budget.name,
      note: budget =>
        <><BudgetBar budget={budget} /><Group gap={6} mt={4}><Scope budget={budget} /><AtLimit budget={budget} /></Group></>
    },
    {
      key: 'spent',
      header: 'Spent',
      width: 284,
      isWideOnly: true,
      render: budget => <div style={{ minWidth: 264 }}><BudgetBar budget={budget} /></div>
    },
    { key: 'scope', header: 'For', isWideOnly: true, render: budget => <Scope budget={budget} /> },
    { key: 'action', header: 'At 100 %', isWideOnly: true, render: budget => <AtLimit budget={budget} /> },
    {
      key: 'thresholds',
      header: 'Alerts at',
      isWideOnly: true,
      render: budget => budget.thresholds.length === 0 ? 'none' : `${budget.thresholds.join(', ')} %`
    },
    {
      key: 'ends',
      header: 'Period ends (UTC)',
      isWideOnly: true,
      render: budget => budget.period_end === null ? 'never' : <Time at={budget.period_end} isBare />
    },
    {
      key: 'buttons',
      header: 'Actions',
      isHeaderHidden: true,
      render: budget => (
        <RowButtons>
          <Button
            size='compact-xs' variant='default' aria-label={`Edit ${budget.name}`}
            onClick={() => { setEditing(budget) }}
          >
            Edit
          </Button>
          <Button
            size='compact-xs' variant='default' color='red' aria-label={`Delete ${budget.name}`}
            onClick={() => { setDeleting(budget) }}
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
      : <Loading what='budgets' />
  }
  return (
    <>
      {rows.length === 0
        ? (
          <Empty title='There are no budgets yet'>
            <Text size='sm' c='dimmed'>One for all traffic, with an alert at 80 %, is a good start.</Text>
          </Empty>
          )
        : (
          <DataTable
            label='Budgets' columns={columns} rows={rows} keyOf={budget => budget.id} total={total}
            hasMore={query.hasNextPage} onMore={() => { void query.fetchNextPage() }}
          />
          )}
      {editing !== null && (
        <BudgetForm
          key={editing.id} original={editing} promptType={editing.prompt_type} onClose={() => { setEditing(null) }}
        />
      )}
      <Confirm
        opened={deleting !== null} title={`Delete ${deleting?.name ?? ''}?`} action='Delete' pending={remove.isPending}
        onClose={() => { setDeleting(null) }} onConfirm={() => { if (deleting !== null) remove.mutate(deleting.id) }}
      >
        <Stack gap={4}>
          <span>Calls that it blocks are accepted from the next one on. Alerts that fired stay in the list.</span>
        </Stack>
      </Confirm>
    </>
  )
}

/** For what it is. */
function Scope ({ budget: { prompt_type: promptType } }: { budget: Budget }) {
  return promptType === null
    ? <>all traffic</>
    : <Link href={`/prompt-types/${encodeURIComponent(promptType)}`}><Breakable text={promptType} isCut /></Link>
}

/** What it does once it is spent. */
function AtLimit ({ budget: { action, strict } }: { budget: Budget }) {
  const words = action === 'alert' ? 'alerts' : strict ? 'blocks, strict' : 'blocks'
  return <Badge size='sm' miw='max-content' variant='light' color={action === 'block' ? 'red' : 'gray'}>{words}</Badge>
}
