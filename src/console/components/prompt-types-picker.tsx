import { Badge, CloseButton, Group, Stack } from '@mantine/core'
import { Breakable } from './breakable.js'
import { PromptTypePicker } from './prompt-type-picker.js'

export interface PickedTypes {
  readonly types: readonly string[]
  /** What the field says, and was not picked. */
  readonly typed: string
}

/** Picks several prompt types, one after the other; they stand under the field until they are taken out. None: all. */
export function PromptTypesPicker ({ value: { types, typed }, onChange, error }: {
  value: PickedTypes, onChange: (value: PickedTypes) => void, error?: string
}) {
  const change = (text: string, isPicked: boolean): void => {
    if (!isPicked) onChange({ types, typed: text })
    else onChange({ types: text === '' ? [] : [...new Set([...types, text])], typed: '' })
  }
  return (
    <Stack gap={6}>
      <PromptTypePicker
        label='Prompt types' description='The only ones it may use: pick one after the other. All, if left out'
        everything='All prompt types' text={typed} onChange={change}
        {...(error === undefined ? {} : { error })}
      />
      <Group gap={4}>
        {types.map(type => (
          <Badge
            key={type} variant='light' tt='none' maw='100%' h='auto' styles={{
              label: { whiteSpace: 'normal', overflowWrap: 'anywhere' }
            }}
            rightSection={(
              <CloseButton
                size='xs' c='inherit' aria-label={`Remove ${type}`}
                onClick={() => { onChange({ types: types.filter(other => other !== type), typed }) }}
              />
            )}
          >
            <Breakable text={type} />
          </Badge>
        ))}
      </Group>
    </Stack>
  )
}
