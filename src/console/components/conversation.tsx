import { Badge, Code, Group, Paper, Stack, Tabs, Text } from '@mantine/core'
import { IconPhoto, IconTool } from '@tabler/icons-react'
import { type Part, type Turn, offeredTools, parseBody, pretty, requestTurns, responseTurns } from '../conversation.js'

/** A call's request and response: as messages, and as the JSON that was stored. */
export function Conversation ({ prompt, response }: { prompt: string | null, response: string | null }) {
  const [request, answer] = [parseBody(prompt), parseBody(response)]
  const turns = [...requestTurns(request), ...responseTurns(answer)]
  const tools = offeredTools(request)
  return (
    <Tabs defaultValue={turns.length > 0 ? 'messages' : 'request'} keepMounted={false}>
      <Tabs.List>
        <Tabs.Tab value='messages' disabled={turns.length === 0}>Messages</Tabs.Tab>
        {tools.length > 0 && <Tabs.Tab value='tools'>Tools ({tools.length})</Tabs.Tab>}
        <Tabs.Tab value='request'>Request</Tabs.Tab>
        <Tabs.Tab value='response'>Response</Tabs.Tab>
      </Tabs.List>
      <Tabs.Panel value='messages' pt='sm'><Stack gap='xs'>{turns.map((turn, i) => <TurnPaper key={i} turn={turn} />)}</Stack></Tabs.Panel>
      <Tabs.Panel value='tools' pt='sm'>
        <Stack gap='xs'>{tools.map(({ name, json }, i) => <Paper key={i} withBorder p='xs'><Text size='sm' fw={600}>{name}</Text><pre className='text'>{json}</pre></Paper>)}</Stack>
      </Tabs.Panel>
      <Tabs.Panel value='request' pt='sm'><Body text={prompt} /></Tabs.Panel>
      <Tabs.Panel value='response' pt='sm'><Body text={response} /></Tabs.Panel>
    </Tabs>
  )
}

function TurnPaper ({ turn }: { turn: Turn }) {
  return (
    <Paper withBorder p='xs'>
      <Badge size='xs' variant='light' color='gray' mb={4} tt='none'>{turn.role}</Badge>
      <Stack gap={4}>{turn.parts.map((part, i) => <PartView key={i} part={part} />)}</Stack>
    </Paper>
  )
}

function PartView ({ part }: { part: Part }) {
  switch (part.kind) {
    case 'text': return <Text size='sm' style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>{part.text}</Text>
    case 'media': return <Group gap={6} wrap='nowrap'><IconPhoto size={16} stroke={1.5} aria-hidden /><Code>{part.text}</Code></Group>
    case 'call': return <Stack gap={2}><Group gap={6}><IconTool size={16} stroke={1.5} aria-hidden /><Text size='sm' fw={600}>{part.name}</Text></Group><pre className='text'>{part.json}</pre></Stack>
    case 'json': return <pre className='text'>{part.json}</pre>
  }
}

function Body ({ text }: { text: string | null }) {
  if (text === null) return <Text size='sm' c='dimmed'>Nothing was stored.</Text>
  return <pre className='text'>{pretty(text)}</pre>
}
