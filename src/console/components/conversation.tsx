import { Alert, Badge, Button, Code, Group, Paper, Stack, Tabs, Text } from '@mantine/core'
import { IconPhoto, IconTool } from '@tabler/icons-react'
import { type ReactNode, useMemo, useState } from 'react'
import { type Part, type Turn, offeredTools, parseBody, pretty, requestTurns, responseTurns } from '../conversation.js'
import { several } from '../format.js'

/** More than that is shown when it is asked for: a page of 300 kB is no help to anybody. */
const SHOWN_CHARACTERS = 4000
const SHOWN_TURNS = 50

/** A call's request and response: as messages, and as the JSON that was stored. */
export function Conversation ({ prompt, response }: { prompt: string | null, response: string | null }) {
  const { turns, tools, broken } = useMemo(() => {
    const [request, answer] = [parseBody(prompt), parseBody(response)]
    const broken = [
      ...(prompt !== null && request === undefined ? ['request'] : []),
      ...(response !== null && answer === undefined ? ['response'] : [])
    ]
    return { turns: [...requestTurns(request), ...responseTurns(answer)], tools: offeredTools(request), broken }
  }, [prompt, response])
  const [isAll, setAll] = useState(false)
  return (
    <Tabs
      defaultValue={turns.length > 0 ? 'messages' : prompt === null ? 'response' : 'request'} keepMounted={false}
      classNames={{ tab: 'tab' }}
    >
      <Tabs.List>
        <Tabs.Tab value='messages' disabled={turns.length === 0}>Messages</Tabs.Tab>
        {tools.length > 0 && <Tabs.Tab value='tools'>Tools ({tools.length})</Tabs.Tab>}
        <Tabs.Tab value='request'>Request</Tabs.Tab>
        <Tabs.Tab value='response'>Response</Tabs.Tab>
      </Tabs.List>
      {broken.length > 0 && (
        <Alert color='gray' variant='light' p='xs' mt='sm'>
          The {broken.join(
          ' and the '
        )} {broken.length > 1 ? 'are' : 'is'} not whole JSON, cut before being stored or never JSON: to be seen as
          text under {broken.map(name => name === 'request'
          ? 'Request'
          : 'Response')
          .join(' and ')}.
        </Alert>
      )}
      <Tabs.Panel value='messages' pt='sm'>
        <Stack gap='xs'>
          {(isAll ? turns : turns.slice(0, SHOWN_TURNS)).map((turn, i) => <TurnPaper key={i} turn={turn} />)}
          {!isAll && turns.length > SHOWN_TURNS && (
            <Button size='xs' variant='default' onClick={() => { setAll(true) }}>
              Show all {several(turns.length, 'message')}
            </Button>
          )}
        </Stack>
      </Tabs.Panel>
      <Tabs.Panel value='tools' pt='sm'>
        <Stack gap='xs'>
          {tools.map(({ name, json }, i) =>
            <Paper key={i} withBorder p='xs'>
              <Text size='sm' fw={600} style={{ overflowWrap: 'anywhere' }}>{name}</Text>
              <Json text={json} />
            </Paper>)}
        </Stack>
      </Tabs.Panel>
      <Tabs.Panel value='request' pt='sm'><Body text={prompt} /></Tabs.Panel>
      <Tabs.Panel value='response' pt='sm'><Body text={response} /></Tabs.Panel>
    </Tabs>
  )
}

function TurnPaper ({ turn }: { turn: Turn }) {
  return (
    <Paper withBorder p='xs'>
      <Badge size='xs' variant='light' color='gray' mb={4} tt='none' maw='100%'>{turn.role}</Badge>
      <Stack gap={4}>{turn.parts.map((part, i) => <PartView key={i} part={part} />)}</Stack>
    </Paper>
  )
}

function PartView ({ part }: { part: Part }) {
  switch (part.kind) {
    case 'text': return (
      <Long text={part.text}>{text =>
        <Text size='sm' style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>{text}</Text>}
      </Long>
    )
    case 'media': return (
      <Group gap={6} wrap='nowrap'>
        <IconPhoto size={16} stroke={1.5} aria-hidden style={{ flexShrink: 0 }} />
        <Code style={{ overflowWrap: 'anywhere' }}>{part.text}</Code>
      </Group>
    )
    case 'call': return (
      <Stack gap={2}>
        <Group gap={6}>
          <IconTool size={16} stroke={1.5} aria-hidden />
          <Text size='sm' fw={600} style={{ overflowWrap: 'anywhere' }}>{part.name}</Text>
        </Group>
        <Json text={part.json} />
      </Stack>
    )
    case 'json': return <Json text={part.json} />
  }
}

function Body ({ text }: { text: string | null }) {
  const shown = useMemo(() => text === null ? null : pretty(text), [text])
  return shown === null ? <Text size='sm' c='dimmed'>Nothing was stored.</Text> : <Json text={shown} />
}

const Json = ({ text }: { text: string }) => <Long text={text}>{text => <pre className='text'>{text}</pre>}</Long>

/** The beginning of a long text, and all of it when asked for. */
function Long ({ text, children }: { text: string, children: (text: string) => ReactNode }) {
  const [isAll, setAll] = useState(false)
  if (isAll || text.length <= SHOWN_CHARACTERS) return <>{children(text)}</>
  return (
    <Stack gap={4} align='flex-start'>
      {children(`${text.slice(0, SHOWN_CHARACTERS)}…`)}
      <Button size='compact-xs' variant='default' onClick={() => { setAll(true) }}>
        Show all {several(text.length, 'character')}
      </Button>
    </Stack>
  )
}
