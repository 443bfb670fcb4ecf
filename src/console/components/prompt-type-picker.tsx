import { CloseButton, Loader, Paper, Text, TextInput } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { type KeyboardEvent, type ReactNode, useId, useState } from 'react'
import { count } from '../format.js'
import { type FoundTypes, promptTypesLike } from '../prompt-type-names.js'
import { Breakable } from './breakable.js'

/** What a prompt type may be called: as in the header X-Prompt-Type. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/

export interface PromptTypePickerProps {
  readonly label: string
  readonly description: string
  /** What an empty field stands for: `All traffic`. */
  readonly everything: string
  readonly text: string
  /** `isPicked`: from the list, or on purpose although no call had it yet; what is only typed may be a slip. */
  readonly onChange: (text: string, isPicked: boolean) => void
  readonly error?: string
}

interface Option { readonly value: string, readonly text: ReactNode }

/** What can be picked: everything, what was found, and a name that no call had yet. */
function optionsFor (name: string, everything: string, found: FoundTypes | undefined): Option[] {
  const isNew = found?.text === name && name !== '' && !found.isThere && NAME.test(name)
  return [
    ...(name === '' ? [{ value: '', text: everything }] : []),
    ...(found?.names ?? []).map(type => ({ value: type, text: <Breakable text={type} /> })),
    ...(isNew ? [{ value: name, text: <>Use “<Breakable text={name} />”, though no call had it yet</> }] : [])
  ]
}

/**
 * Picks one prompt type of thousands: the gateway searches while one types. One that no call had yet is an option of
 * its own. A combobox as https://www.w3.org/WAI/ARIA/apg/patterns/combobox/ has it, in a twentieth of the bytes of the
 * library's.
 */
export function PromptTypePicker ({ label, description, everything, text, onChange, error }: PromptTypePickerProps) {
  const id = useId()
  const [isOpen, setOpen] = useState(false)
  const [active, setActive] = useState(-1)
  const name = text.trim()
  const [asked] = useDebouncedValue(name, 200)
  const { data, isFetching, error: failure } = useQuery({
    ...promptTypesLike(asked), placeholderData: keepPreviousData
  })
  const options = optionsFor(name, everything, data)
  const open = (isOpen: boolean): void => {
    setOpen(isOpen)
    setActive(-1)
  }
  const pick = (value: string): void => {
    onChange(value, true)
    open(false)
  }
  const press = (event: KeyboardEvent): void => {
    const step = ({ ArrowDown: 1, ArrowUp: -1 } as Readonly<Record<string, number>>)[event.key]
    const chosen = options[active]
    if (step !== undefined) {
      setOpen(true)
      setActive(
        options.length === 0 ? -1 : (Math.max(active, step < 0 ? 0 : -1) + step + options.length) % options.length
      )
    } else if (event.key === 'Enter' && isOpen && chosen !== undefined) pick(chosen.value)
    else if (event.key === 'Escape' && isOpen) open(false)
    else return
    // Neither sends the form nor closes its dialogue.
    event.preventDefault()
    event.stopPropagation()
  }
  const isClearable = text !== ''
  return (
    <div className='picker'>
      <TextInput
        label={label} description={description} placeholder={everything} autoComplete='off' value={text} error={error}
        role='combobox' aria-expanded={isOpen} aria-controls={`${id}list`} aria-autocomplete='list'
        {...(isOpen && active >= 0 ? { 'aria-activedescendant': `${id}${active}` } : {})}
        rightSection={isFetching && isOpen
          ? <Loader size={14} />
          : isClearable && <CloseButton size='sm' aria-label={`${everything} instead`} onClick={() => { pick('') }} />}
        onChange={({ currentTarget: { value } }) => {
          onChange(value, false)
          open(true)
        }}
        onKeyDownCapture={press} onClick={() => { open(true) }} onBlur={() => { open(false) }}
      />
      {isOpen && (
        // The field keeps the focus.
        <Paper withBorder shadow='md' className='options' onMouseDown={event => { event.preventDefault() }}>
          <div id={`${id}list`} role='listbox' aria-label='Prompt types'>
            {options.map(({ value, text }, i) => (
              <div
                key={value} id={`${id}${i}`} role='option' aria-selected={i === active} className='option'
                ref={element => { if (i === active) element?.scrollIntoView({ block: 'nearest' }) }}
                onClick={() => { pick(value) }}
              >
                {text}
              </div>
            ))}
          </div>
          <PickerNote found={data} failure={failure} isEmpty={options.length === 0} />
        </Paper>
      )}
    </div>
  )
}

function PickerNote ({ found, failure, isEmpty }: {
  found: FoundTypes | undefined, failure: Error | null, isEmpty: boolean
}) {
  const note = failure !== null
    ? failure.message
    : found !== undefined && found.total > found.names.length
      ? `The most called ${found.names.length} of ${count(found.total)}: type to find others.`
      : found !== undefined && isEmpty ? 'No prompt type has this name.' : null
  return note === null ? null : <Text size='xs' c='dimmed' p='4px 12px' role='status'>{note}</Text>
}
