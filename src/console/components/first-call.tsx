import { Code, CopyButton, Button, Text } from '@mantine/core'
import { Empty } from './states.js'

/** The line that makes the first call, with this gateway's own address. */
export const firstCallLine = (origin: string): string => `curl ${origin}/v1/chat/completions \\
  -H "Authorization: Bearer $OPENAI_API_KEY" \\
  -H "Content-Type: application/json" \\
  -H "X-Prompt-Type: hello" \\
  -d '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Say hello."}]}'`

/** What to do while there is nothing to see yet. */
export function FirstCall () {
  const line = firstCallLine(window.location.origin)
  return (
    <Empty title='No call has come by yet'>
      <Text size='sm' c='dimmed'>Send one through this gateway, and its prompt type appears here:</Text>
      <Code block>{line}</Code>
      <CopyButton value={line}>{({ copied, copy }) => <Button size='xs' variant='default' onClick={copy}>{copied ? 'Copied' : 'Copy'}</Button>}</CopyButton>
    </Empty>
  )
}
