import { Code, Text } from '@mantine/core'
import { Link } from 'wouter'
import { Copy } from './copy.js'
import { Empty } from './states.js'

/** The line that makes the first call, with this gateway's own address. */
const firstCallLine = (origin: string): string => `curl ${origin}/v1/chat/completions \\
  -H "Authorization: Bearer $API_KEY" \\
  -H "Content-Type: application/json" \\
  -H "X-Prompt-Type: hello" \\
  -d '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Say hello."}]}'`

/** What to do while there is nothing to see yet. */
export function FirstCall ({ title = 'No calls yet', note }: { title?: string, note?: string }) {
  const line = firstCallLine(window.location.origin)
  return (
    <Empty title={title}>
      {note !== undefined && <Text size='sm' c='dimmed'>{note}</Text>}
      <Text size='sm' c='dimmed'>Send a call through this gateway, and it appears here:</Text>
      <Code block maw='100%'>{line}</Code>
      <Copy value={line} label='Copy' />
      <Text size='sm' c='dimmed' ta='center'>
        API_KEY is your OpenAI key; where the gateway holds that one (UPSTREAM_API_KEY is set), a key of its own: <Link href='/keys'>Keys</Link>.
      </Text>
    </Empty>
  )
}
