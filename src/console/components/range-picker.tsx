import { Group, NativeSelect, TextInput } from '@mantine/core'
import { useMemo } from 'react'
import { DEFAULT_RANGE, RANGES, type Range, isRangeName, rangeOf } from '../range.js'
import { useUrlValue } from '../url-state.js'

const OWN = 'own'
const today = (): string => new Date().toISOString().slice(0, 10)

/** The range that the URL names: every chart of a page follows it. It moves on with the hour. */
export function useRange (): Range {
  const [name] = useUrlValue('range', DEFAULT_RANGE)
  const hour = Math.floor(Date.now() / 3_600_000)
  return useMemo(() => rangeOf(name, hour * 3_600_000), [name, hour])
}

/** Chooses the range: one of the named ones, or two dates. */
export function RangePicker () {
  const [name, setName] = useUrlValue('range', DEFAULT_RANGE)
  const isOwn = name.includes('..')
  const [from = '', to = ''] = isOwn ? name.split('..') : []
  return (
    <Group gap='xs'>
      <NativeSelect
        size='xs' aria-label='Range of time' value={isOwn ? OWN : isRangeName(name) ? name : DEFAULT_RANGE}
        onChange={({ currentTarget: { value } }) => { setName(value === OWN ? `${today()}..${today()}` : value) }}
        data={[...Object.entries(RANGES).map(([value, { label }]) => ({ value, label })), { value: OWN, label: 'From … to …' }]}
      />
      {isOwn && (
        <>
          <TextInput size='xs' type='date' aria-label='From (UTC)' value={from} onChange={event => { setName(`${event.currentTarget.value}..${to}`) }} />
          <TextInput size='xs' type='date' aria-label='To, included (UTC)' value={to} onChange={event => { setName(`${from}..${event.currentTarget.value}`) }} />
        </>
      )}
    </Group>
  )
}
