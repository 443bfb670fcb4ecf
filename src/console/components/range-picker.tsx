import { Group, NativeSelect, Text, TextInput } from '@mantine/core'
import { useMemo } from 'react'
import { type Comparison, comparison, spanText } from '../comparison.js'
import { DEFAULT_RANGE, HOUR_MS, RANGES, type Range, floor, isRangeName, rangeOf } from '../range.js'
import { useUrlValue } from '../url-state.js'

const OWN = 'own'
const today = (): string => new Date().toISOString().slice(0, 10)

/** The start of the hour that is. */
const hourNow = (): number => floor(Date.now(), HOUR_MS)

/** The range of that name. It moves on with the hour. */
export function useNamedRange (name: string): Range {
  const hour = hourNow()
  return useMemo(() => rangeOf(name, hour), [name, hour])
}

/** The range that the URL names: every chart of a page follows it. */
export const useRange = (): Range => useNamedRange(useUrlValue('range', DEFAULT_RANGE)[0])

/** What the range is compared with. */
export function useComparison (range: Range): Comparison | null {
  const hour = hourNow()
  return useMemo(() => comparison(range, hour), [range, hour])
}

/** Chooses the range: one of the named ones, or two dates. Beside it stands which time that is. */
export function RangePicker () {
  const [name, setName] = useUrlValue('range', DEFAULT_RANGE)
  const range = useRange()
  const isOwn = name.includes('..')
  const [from = '', to = ''] = isOwn ? name.split('..') : []
  return (
    <Group gap='xs'>
      {!isOwn && <Text size='xs' c='dimmed'>{spanText(range)}</Text>}
      <NativeSelect
        size='xs' aria-label='Range of time' value={isOwn ? OWN : isRangeName(name) ? name : DEFAULT_RANGE}
        onChange={({ currentTarget: { value } }) => { setName(value === OWN ? `${today()}..${today()}` : value) }}
        data={[
          ...Object.entries(RANGES).map(([value, label]) => ({ value, label })), { value: OWN, label: 'From … to …' }
        ]}
      />
      {isOwn && (
        <>
          <TextInput
            size='xs' type='date' aria-label='From (UTC)' value={from}
            onChange={event => { setName(`${event.currentTarget.value}..${to}`) }}
          />
          <TextInput
            size='xs' type='date' aria-label='To, included (UTC)' value={to}
            onChange={event => { setName(`${from}..${event.currentTarget.value}`) }}
          />
          <Text size='xs' c='dimmed'>UTC</Text>
        </>
      )}
    </Group>
  )
}
