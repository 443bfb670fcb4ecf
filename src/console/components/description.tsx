import { Alert, Button, Group, Stack, Text, Textarea } from '@mantine/core'
import { useState } from 'react'
import type { PromptConfig } from '../prompt-configs.js'

export interface DescriptionProps {
  readonly config: PromptConfig
  /** What the gateway has by now. */
  readonly refresh: () => Promise<PromptConfig | undefined>
  /** Resolves to whether the gateway took it. */
  readonly save: (description: string) => Promise<boolean>
}

/**
 * The description, and a draft of it. A draft outlives what others save meanwhile: both texts are shown then, and the
 * one who writes chooses. The gateway is asked for its text once more before a draft is saved over it.
 */
export function Description ({ config: { description: saved }, refresh, save }: DescriptionProps) {
  const [draft, setDraft] = useState<{ readonly text: string, readonly base: string } | null>(null)
  const [isSaving, setSaving] = useState(false)
  const isChanged = draft !== null && draft.text !== saved
  const theirs = isChanged && draft.base !== saved ? saved : null
  const put = async (text: string): Promise<void> => { if (await save(text)) setDraft(null) }
  const whileSaving = async (work: () => Promise<void>): Promise<void> => {
    setSaving(true)
    try {
      await work()
    } finally {
      setSaving(false)
    }
  }
  const check = async (text: string, base: string): Promise<void> => {
    const now = await refresh()
    if (now === undefined || now.description === base || now.description === text) await put(text)
  }
  return (
    <Stack gap='xs' style={{ flex: '1 1 16rem' }}>
      <Textarea
        label='Description' autosize minRows={1} maxRows={4} maxLength={1000} value={draft?.text ?? saved}
        onChange={({ currentTarget: { value } }) => { setDraft({ text: value, base: draft?.base ?? saved }) }}
      />
      {isChanged && theirs === null && (
        <Group gap='xs'>
          <Button
            size='compact-xs' loading={isSaving}
            onClick={() => { void whileSaving(async () => { await check(draft.text, draft.base) }) }}
          >
            Save
          </Button>
          <Button size='compact-xs' variant='default' onClick={() => { setDraft(null) }}>Reset</Button>
        </Group>
      )}
      {isChanged && theirs !== null && (
        <Alert color='orange' variant='light' title='Somebody else has changed the description' role='alert' p='xs'>
          <Stack gap='xs' align='flex-start'>
            <Text size='sm' style={{ overflowWrap: 'anywhere' }}>
              {theirs === '' ? 'They have emptied it.' : `It says now: ${theirs}`}
            </Text>
            <Group gap='xs'>
              <Button
                size='compact-xs' variant='default' loading={isSaving}
                onClick={() => { void whileSaving(async () => { await put(draft.text) }) }}
              >
                Keep mine
              </Button>
              <Button size='compact-xs' variant='default' onClick={() => { setDraft(null) }}>Take theirs</Button>
            </Group>
          </Stack>
        </Alert>
      )}
    </Stack>
  )
}
