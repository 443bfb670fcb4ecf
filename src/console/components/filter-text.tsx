import { TextInput, type TextInputProps } from '@mantine/core'
import { useDebouncedCallback } from '@mantine/hooks'
import { useState } from 'react'

export interface FilterTextProps extends Omit<TextInputProps, 'value' | 'onChange' | 'defaultValue'> {
  readonly value: string
  /** Called with the trimmed text once typing pauses. */
  readonly onChange: (value: string) => void
}

/** A text that filters a list: it follows the URL, which hears of what is typed a little later. */
export function FilterText ({ value, onChange, ...props }: FilterTextProps) {
  const [text, setText] = useState(value)
  const [known, setKnown] = useState(value)
  const say = useDebouncedCallback((text: string) => { onChange(text.trim()) }, 250)
  if (value !== known) {
    setKnown(value)
    // What this field said itself leaves it as it is: a space at the end may be the middle of a sentence.
    if (value !== text.trim()) setText(value)
  }
  return (
    <TextInput
      size='xs' {...props} value={text} onChange={({ currentTarget }) => {
        setText(currentTarget.value)
        say(currentTarget.value)
      }}
    />
  )
}
