import { CloseButton, Combobox, InputBase, Loader, Text, useCombobox } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { count } from '../format.js'
import { promptTypesLike } from '../prompt-type-names.js'
import { Breakable } from './breakable.js'

/** What a prompt type may be called: as in the header X-Prompt-Type. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/

export interface PromptTypePickerProps {
  readonly label: string
  readonly description: string
  /** What the field says; '' stands for all traffic. */
  readonly text: string
  /** `isPicked`: from the list, or on purpose although no call had it yet; what is only typed may be a slip. */
  readonly onChange: (text: string, isPicked: boolean) => void
  readonly error?: string
}

/** Picks one prompt type of thousands: the gateway searches while one types. One that no call had yet is an option of its own. */
export function PromptTypePicker ({ label, description, text, onChange, error }: PromptTypePickerProps) {
  const combobox = useCombobox({ onDropdownClose: () => { combobox.resetSelectedOption() } })
  const name = text.trim()
  const [asked] = useDebouncedValue(name, 200)
  const { data, isFetching, error: failure } = useQuery({ ...promptTypesLike(asked), placeholderData: keepPreviousData })
  const isNew = data?.text === name && name !== '' && !data.isThere && NAME.test(name)
  return (
    <Combobox store={combobox} onOptionSubmit={value => { onChange(value, true); combobox.closeDropdown() }}>
      <Combobox.Target>
        <InputBase
          label={label} description={description} placeholder='All traffic' autoComplete='off' value={text} error={error}
          rightSection={isFetching && combobox.dropdownOpened ? <Loader size={14} /> : text === '' ? <Combobox.Chevron /> : <CloseButton size='sm' aria-label='All traffic instead' onClick={() => { onChange('', true) }} />}
          rightSectionPointerEvents={text === '' ? 'none' : 'all'}
          onChange={({ currentTarget: { value } }) => {
            onChange(value, false)
            combobox.openDropdown()
            combobox.resetSelectedOption()
          }}
          onClick={() => { combobox.openDropdown() }} onBlur={() => { combobox.closeDropdown() }}
        />
      </Combobox.Target>
      <Combobox.Dropdown>
        <Combobox.Options mah={220} style={{ overflowY: 'auto' }} aria-label='Prompt types'>
          {name === '' && <Combobox.Option value=''>All traffic</Combobox.Option>}
          {data?.names.map(type => <Combobox.Option key={type} value={type} active={type === name}><Breakable text={type} /></Combobox.Option>)}
          {isNew && <Combobox.Option value={name}>Use “<Breakable text={name} />”, though no call had it yet</Combobox.Option>}
          {data !== undefined && data.names.length === 0 && !isNew && <Combobox.Empty>{name === '' ? 'No call had a prompt type yet.' : 'No prompt type is called so.'}</Combobox.Empty>}
          {failure !== null && <Combobox.Empty>{failure.message}</Combobox.Empty>}
        </Combobox.Options>
        {data !== undefined && data.total > data.names.length && (
          <Combobox.Footer><Text size='xs' c='dimmed'>The most called {data.names.length} of {count(data.total)}: type to find others.</Text></Combobox.Footer>
        )}
      </Combobox.Dropdown>
    </Combobox>
  )
}
