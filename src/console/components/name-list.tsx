import { TextInput, type TextInputProps } from '@mantine/core'

export interface NameListProps extends Omit<TextInputProps, 'value' | 'onChange' | 'defaultValue'> {
  readonly value: readonly string[]
  readonly onChange: (names: string[]) => void
}

/** Names in one field, with commas between them; read when it is left, or at Enter. */
export function NameList ({ value, onChange, ...props }: NameListProps) {
  const text = value.join(', ')
  const read = (text: string): void => {
    const names = [...new Set(text.split(',').map(name => name.trim()).filter(name => name !== ''))]
    if (names.join(', ') !== value.join(', ')) onChange(names)
  }
  return (
    <TextInput
      key={text} {...props} defaultValue={text} onBlur={event => { read(event.currentTarget.value) }}
      onKeyDown={event => { if (event.key === 'Enter') read(event.currentTarget.value) }}
    />
  )
}
