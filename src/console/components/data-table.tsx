import { Checkbox, Table, Text, UnstyledButton, VisuallyHidden } from '@mantine/core'
import { IconArrowDown, IconArrowUp } from '@tabler/icons-react'
import { useVirtualizer } from '@tanstack/react-virtual'
import { type ReactNode, useEffect, useRef } from 'react'
import { useCompact, useIsPhone } from '../use-is-phone.js'

export interface Column<Row> {
  readonly key: string
  readonly header: string
  /** Its header on a phone, where the usual one is too long. */
  readonly shortHeader?: string
  /** Only screen readers are told it. */
  readonly isHeaderHidden?: boolean
  /** The API's name of it in `sort`; undefined: it cannot be sorted by. */
  readonly sort?: string
  readonly isNumber?: boolean
  readonly width?: number
  readonly render: (row: Row) => ReactNode
  /** A phone has no room for it. What matters of it is in another's `note`. */
  readonly isWideOnly?: boolean
  /** Below 1440 px there is no room for it: it is in what a row opens, or in its form. */
  readonly isRoomyOnly?: boolean
  /** On a phone, what stands under the value: a second, quieter line. */
  readonly note?: (row: Row) => ReactNode
}

export interface Selection {
  readonly selected: ReadonlySet<string>
  readonly onSelect: (keys: ReadonlySet<string>) => void
}

export interface DataTableProps<Row> {
  /** What its rows are, for screen readers. */
  readonly label: string
  readonly columns: ReadonlyArray<Column<Row>>
  readonly rows: readonly Row[]
  readonly keyOf: (row: Row) => string
  /** How many there are, those that are not loaded yet included. */
  readonly total?: number
  /** `-total_cost`: greatest first. */
  readonly sort?: string
  readonly onSort?: (sort: string) => void
  readonly selection?: Selection
  readonly hasMore?: boolean
  /** The rows are those of other filters than the ones chosen: the right ones are on their way. */
  readonly isStale?: boolean
  readonly onMore?: () => void
  /** A row is opened by a click or by Enter on it. */
  readonly onOpen?: (row: Row) => void
  /** Of the part of the page that it fills. */
  readonly height?: string
}

const ROW_HEIGHT = 37

/**
 * A table of any length: only the rows in sight are in the page, the next ones are asked for before they are needed.
 */
export function DataTable<Row> (props: DataTableProps<Row>) {
  const { label, rows, keyOf, total = rows.length, hasMore = false, isStale = false, onMore, selection, onOpen } = props
  const { height = 'max(20rem, calc(100dvh - 15rem))' } = props
  const [isPhone, isCompact] = [useIsPhone(), useCompact()]
  const columns = props.columns.filter(column => !(isPhone && column.isWideOnly) && !(isCompact && column.isRoomyOnly))
  const scroll = useRef<HTMLDivElement>(null)
  const virtual = useVirtualizer({
    count: rows.length, getScrollElement: () => scroll.current, estimateSize: () => ROW_HEIGHT, overscan: 12
  })
  const items = virtual.getVirtualItems()
  const last = items.at(-1)?.index ?? 0
  useEffect(() => { if (hasMore && last >= rows.length - 40) onMore?.() }, [hasMore, last, rows.length, onMore])
  const above = items[0]?.start ?? 0
  const below = virtual.getTotalSize() - (items.at(-1)?.end ?? 0)
  const span = columns.length + (selection === undefined ? 0 : 1)
  return (
    <div
      ref={scroll} className='scroll' style={{ maxHeight: height, opacity: isStale ? 0.5 : 1 }}
      tabIndex={0} role='region' aria-label={label} aria-busy={isStale}
    >
      <Table
        className='sticky' aria-rowcount={total + 1} verticalSpacing={6} horizontalSpacing={isCompact
          ? 6
          : 'xs'} fz='sm'
          highlightOnHover={onOpen !== undefined}
      >
        <Head {...props} columns={columns} isPhone={isPhone} />
        <Table.Tbody>
          {above > 0 && <tr aria-hidden><td colSpan={span} style={{ height: above, padding: 0 }} /></tr>}
          {items.map(({ index }) => {
            const row = rows[index]
            if (row === undefined) return null
            const key = keyOf(row)
            const open = onOpen === undefined ? {} : { onClick: () => { onOpen(row) }, style: { cursor: 'pointer' } }
            return (
              <Table.Tr key={key} ref={virtual.measureElement} data-index={index} aria-rowindex={index + 2} {...open}>
                {selection !== undefined && <SelectCell name={key} {...selection} />}
                {columns.map(column => (
                  <Table.Td key={column.key} className={column.isNumber === true ? 'number' : 'name'}>
                    {column.render(row)}{isPhone && <Note of={column.note?.(row)} />}
                  </Table.Td>
                ))}
              </Table.Tr>
            )
          })}
          {below > 0 && <tr aria-hidden><td colSpan={span} style={{ height: below, padding: 0 }} /></tr>}
        </Table.Tbody>
      </Table>
      {hasMore && <Text size='xs' c='dimmed' p='xs'>Loading more…</Text>}
    </div>
  )
}

/** The second line of a cell. */
function Note ({ of }: { of: ReactNode }) {
  return of === undefined || of === null
    ? null
    : <Text component='div' size='xs' c='dimmed' className='note'>{of}</Text>
}

function Head<Row> ({
  columns, rows, keyOf, sort, onSort, selection, isPhone
}: DataTableProps<Row> & { isPhone: boolean }) {
  const all = selection !== undefined && rows.length > 0 && rows.every(row => selection.selected.has(keyOf(row)))
  return (
    <Table.Thead>
      <Table.Tr aria-rowindex={1}>
        {selection !== undefined && (
          <Table.Th w={36}>
            <Checkbox
              size='xs' aria-label='Select all that are loaded' checked={all} indeterminate={!all &&
                selection.selected.size > 0}
              onChange={() => { selection.onSelect(all ? new Set() : new Set(rows.map(keyOf))) }}
            />
          </Table.Th>
        )}
        {columns.map(column => {
          const named = isPhone && column.shortHeader !== undefined
            ? { ...column, header: column.shortHeader }
            : column
          return <HeadCell key={column.key} column={named} sort={sort} onSort={onSort} />
        })}
      </Table.Tr>
    </Table.Thead>
  )
}

function HeadCell<Row> ({ column, sort, onSort }: {
  column: Column<Row>, sort: string | undefined, onSort: ((sort: string) => void) | undefined
}) {
  const by = column.sort
  const descending = sort === `-${by ?? ''}`
  const ascending = by !== undefined && sort === by
  const order = ascending ? 'ascending' : descending && by !== undefined ? 'descending' : 'none'
  const width = column.width === undefined ? {} : { w: column.width }
  if (by === undefined || onSort === undefined) {
    return (
      <Table.Th {...width} className={column.isNumber === true ? 'number' : ''}>
        {column.isHeaderHidden === true ? <VisuallyHidden>{column.header}</VisuallyHidden> : column.header}
      </Table.Th>
    )
  }
  // Numbers and times: the greatest first is what one looks for.
  const next = order === 'none' ? (column.isNumber === true ? `-${by}` : by) : ascending ? `-${by}` : by
  return (
    <Table.Th {...width} aria-sort={order} className={column.isNumber === true ? 'number' : ''}>
      <UnstyledButton fz='sm' fw={600} onClick={() => { onSort(next) }}>
        {column.header}
        {order === 'ascending' && <IconArrowUp size={12} aria-hidden />}
        {order === 'descending' && <IconArrowDown size={12} aria-hidden />}
      </UnstyledButton>
    </Table.Th>
  )
}

function SelectCell ({ name, selected, onSelect }: Selection & { name: string }) {
  return (
    <Table.Td onClick={event => { event.stopPropagation() }}>
      <Checkbox
        size='xs' aria-label={`Select ${name}`} checked={selected.has(name)}
        onChange={({ currentTarget: { checked } }) => {
          const next = new Set(selected)
          if (checked) next.add(name)
          else next.delete(name)
          onSelect(next)
        }}
      />
    </Table.Td>
  )
}
