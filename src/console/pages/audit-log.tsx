import { Badge, Button, Drawer, Stack, Table, Text } from '@mantine/core'
import { useMemo, useState } from 'react'
import { type Schema, api, bodyOf } from '../api/client.js'
import { Breakable } from '../components/breakable.js'
import { type Column, DataTable } from '../components/data-table.js'
import { FilterBar } from '../components/filter-bar.js'
import { FilterText } from '../components/filter-text.js'
import { Page } from '../components/page.js'
import { Empty, Failure, Loading } from '../components/states.js'
import { UtcFilter } from '../components/utc-input.js'
import { Time } from '../components/values.js'
import { type ListPage, after, useList } from '../lists.js'
import { useUrlValues } from '../url-state.js'
import { instantOf, instantsIn, linkText } from '../utc.js'

type Entry = Schema['AuditLog']
const TEXTS = { action: 'Action', target: 'Target', username: 'Who' } as const
const DATES = { from: 'From', to: 'Before' } as const
const FILTERS = [...Object.keys(TEXTS), ...Object.keys(DATES)]

/** Every change that was made: who, when, what, before, after. */
export default function AuditLogPage () {
  const [params, change] = useUrlValues()
  const [open, setOpen] = useState<Entry | null>(null)
  const filter = {
    ...Object.fromEntries(Object.keys(TEXTS).flatMap(name => params.has(name) ? [[name, params.get(name) ?? '']] : [])),
    ...instantsIn(params, Object.keys(DATES))
  }
  const active = FILTERS.filter(name => params.has(name))
  const { query, rows, total } = useList<Entry>(['audit-log', filter], async cursor =>
    await bodyOf<ListPage<Entry>>(
      api.GET('/admin/api/audit-log', { params: { query: { ...filter, limit: 100, ...after(cursor) } } })
    ))
  return (
    <Page title='Audit log'>
      <FilterBar
        active={active.length} onClear={() => { change(Object.fromEntries(active.map(name => [name, null]))) }}
      >
        {Object.entries(TEXTS).map(([name, label]) => (
          <FilterText
            key={name} aria-label={label} placeholder={label} value={params.get(name) ?? ''}
            onChange={value => { change({ [name]: value }) }}
          />
        ))}
        {Object.entries(DATES).map(([name, label]) => (
          <UtcFilter
            key={name} label={label} value={instantOf(params.get(name) ?? '')}
            onChange={value => { change({ [name]: linkText(value) }) }}
          />
        ))}
      </FilterBar>
      {query.data === undefined &&
        (query.isError
          ? <Failure error={query.error} onRetry={() => { void query.refetch() }} />
          : <Loading what='the audit log' />)}
      {query.data !== undefined && rows.length === 0 && (Object.keys(filter).length > 0
        ? <Text c='dimmed'>No change matches these filters.</Text>
        : (
          <Empty title='No change was made yet'>
            <Text size='sm' c='dimmed'>Switches, budgets, keys and prices leave a row here when they change.</Text>
          </Empty>
          ))}
      {rows.length > 0 && (
        <DataTable
          label='Audit log' columns={columnsWith(setOpen)} rows={rows} keyOf={row => row.id} total={total}
          hasMore={query.hasNextPage} onMore={() => { void query.fetchNextPage() }} isStale={query.isPlaceholderData}
          onOpen={setOpen}
        />
      )}
      <Drawer
        opened={open !== null} onClose={() => { setOpen(null) }} position='right' size='lg' title={open?.action ?? ''}
        closeButtonProps={{ 'aria-label': 'Close' }}
      >
        {open !== null && <Changes entry={open} />}
      </Drawer>
    </Page>
  )
}

const columnsWith = (open: (entry: Entry) => void): ReadonlyArray<Column<Entry>> => [
  {
    key: 'created_at',
    header: 'When (UTC)',
    width: 150,
    render: row => <Time at={row.created_at} isBare />,
    note: row => row.username
  },
  { key: 'username', header: 'Who', isWideOnly: true, render: row => row.username },
  { key: 'action', header: 'What', isWideOnly: true, render: row => <Action row={row} /> },
  {
    key: 'target',
    header: 'Target',
    shortHeader: 'What',
    render: row => <Target row={row} />,
    note: row => <Action row={row} />
  },
  {
    key: 'changed',
    header: 'Changed',
    isWideOnly: true,
    render: row => changedFields(row).map(([name]) => name).join(', ')
  },
  {
    key: 'open',
    header: 'Actions',
    isHeaderHidden: true,
    width: 64,
    // By keyboard, where the mouse may click anywhere in the row.
    render: row =>
      <Button
        size='compact-xs' variant='subtle' aria-label={`Open ${row.action} of ${nameOf(row)} at ${row.created_at}`}
        onClick={() => { open(row) }}
      >
        Open
      </Button>
  }
]

function Action ({ row }: { row: Entry }) {
  return <Badge size='sm' miw='max-content' variant='light' tt='none'>{row.action}</Badge>
}

/** What was changed: budgets and keys by the name that they had, beside the id. */
function Target ({ row }: { row: Entry }) {
  const name = nameOf(row)
  return (
    <span title={row.target}><Breakable text={name} isCut />{name !== row.target && (
      <Text span size='xs' c='dimmed' visibleFrom='sm'> {row.target}</Text>
    )}
    </span>
  )
}

const members = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? value as Record<string, unknown> : {}

const nameOf = ({ target, before, after }: Entry): string =>
  [members(after).name, members(before).name].find(name => typeof name === 'string') ?? target

/** The fields that differ between before and after. */
function changedFields ({ before, after }: Entry): Array<[name: string, before: unknown, after: unknown]> {
  const [old, now] = [members(before), members(after)]
  return [...new Set([...Object.keys(old), ...Object.keys(now)])]
    .filter(name => JSON.stringify(old[name]) !== JSON.stringify(now[name])).map(name => [name, old[name], now[name]])
}

const shown = (value: unknown): string =>
  value === undefined ? '–' : typeof value === 'string' ? value : JSON.stringify(value, null, 2)

function Changes ({ entry }: { entry: Entry }) {
  const fields = useMemo(() => changedFields(entry), [entry])
  return (
    <Stack gap='sm'>
      <Text size='sm'>{entry.username}, <Time at={entry.created_at} />: <Target row={entry} /></Text>
      <Table fz='sm' withTableBorder>
        <Table.Thead>
          <Table.Tr><Table.Th>Field</Table.Th><Table.Th>Before</Table.Th><Table.Th>After</Table.Th></Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {fields.map(([name, before, after]) => (
            <Table.Tr key={name}>
              <Table.Td>{name}</Table.Td>
              <Table.Td><pre className='text'>{shown(before)}</pre></Table.Td>
              <Table.Td><pre className='text'>{shown(after)}</pre></Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Stack>
  )
}
