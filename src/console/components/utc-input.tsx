import { Text, TextInput, type TextInputProps } from '@mantine/core'
import { useDebouncedCallback } from '@mantine/hooks'
import { useState } from 'react'
import { fieldText, instantOf } from '../utc.js'

export interface UtcInputProps extends Omit<TextInputProps, 'value' | 'onChange' | 'defaultValue' | 'type'> {
  /** RFC 3339; null: none. */
  readonly value: string | null
  /** Null: the field is empty, or says no time that the gateway takes. */
  readonly onChange: (instant: string | null) => void
}

/**
 * A date and time in UTC, and it says so: what it shows is the instant that it stands for, whatever zone the browser is
 * in.
 */
export function UtcInput ({ value, onChange, ...props }: UtcInputProps) {
  const [text, setText] = useState(fieldText(value))
  const [known, setKnown] = useState(value)
  if (value !== known) {
    setKnown(value)
    if (value !== instantOf(text)) setText(fieldText(value))
  }
  return (
    <TextInput
      rightSection={<Text span size='xs' c='dimmed' aria-hidden>UTC</Text>} rightSectionWidth={36}
      {...props}
      type='datetime-local' min='1900-01-01T00:00' max='2999-12-31T23:59'
      // A field shows as much of a time as its steps are fine.
      step={text.includes('.') ? 0.001 : text.length > 16 ? 1 : 60}
      error={props.error ?? (text !== '' && instantOf(text) === null)}
      value={text}
      onChange={({ currentTarget: { value } }) => {
        setText(value)
        onChange(instantOf(value))
      }}
    />
  )
}

/** As a filter of a list: what is typed holds once typing pauses. */
export function UtcFilter ({ label, value, onChange }: {
  label: string, value: string | null, onChange: (instant: string | null) => void
}) {
  const later = useDebouncedCallback(onChange, 250)
  return (
    <UtcInput
      size='xs' aria-label={`${label} (UTC)`} title={`${label} (UTC)`} leftSection={<Text span size='xs' c='dimmed' aria-hidden>{label}</Text>} leftSectionWidth={label.length * 7 + 12}
      value={value} onChange={later}
    />
  )
}
