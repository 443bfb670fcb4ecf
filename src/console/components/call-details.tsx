import { Alert, Group, SimpleGrid, Stack, Text } from '@mantine/core'
import type { ReactNode } from 'react'
import { bytes, count, duration } from '../format.js'
import { curlCaveat, curlLine } from '../curl.js'
import type { UsageLog } from '../usage-logs.js'
import { Breakable } from './breakable.js'
import { costReason } from './call-values.js'
import { Conversation } from './conversation.js'
import { Copy } from './copy.js'
import { Money, Time } from './values.js'

/** A name and its value, one of many. */
export function Fact ({ name, children }: { name: string, children: ReactNode }) {
  return (
    <Stack gap={0}>
      <Text size='xs' c='dimmed'>{name}</Text>
      <Text component='div' size='sm' style={{ overflowWrap: 'anywhere' }}>{children ?? '–'}</Text>
    </Stack>
  )
}

const orDash = (value: number | null): string => value === null ? '–' : count(value)

/** One row of the usage log in full. */
export function CallDetails ({ call }: { call: UsageLog }) {
  return (
    <Stack gap='md'>
      {call.error_message !== null && (
        <Alert color='red' variant='light' title={call.error_type ?? 'Failed'}>{call.error_message}</Alert>
      )}
      <SimpleGrid cols={{ base: 2, sm: 3 }} spacing='sm' verticalSpacing='xs'>
        <Fact name='Finished'><Time at={call.created_at} /></Fact>
        <Fact name='Prompt type'><Breakable text={call.prompt_type} /></Fact>
        <Fact name='Status'>{call.status_code}{call.stream ? ', streamed' : ''}</Fact>
        <Fact name='Model'>{call.response_model ?? call.request_model}</Fact>
        <Fact name='Requested model'>{call.request_model}</Fact>
        <Fact name='Endpoint'>{call.endpoint}</Fact>
        <Fact name='Cost'>{call.cost === null ? costReason(call.cost_reason) : <Money usd={call.cost} />}</Fact>
        <Fact name='Input tokens'>{orDash(call.input_tokens)} ({orDash(call.cached_input_tokens)} cached)</Fact>
        <Fact name='Output tokens'>{orDash(call.output_tokens)} ({orDash(call.reasoning_tokens)} reasoning)</Fact>
        <Fact name='Tokens counted by'>{call.usage_source}</Fact>
        <Fact name='Duration'>{duration(call.duration_ms)}</Fact>
        <Fact name='First byte after'>{duration(call.time_to_first_byte_ms)}</Fact>
        <Fact name='User'>{call.user}</Fact>
        <Fact name='Service tier'>{call.service_tier}</Fact>
        <Fact name='Sizes'>{bytes(call.request_bytes)} in, {bytes(call.response_bytes)} out</Fact>
        <Fact name='Upstream request id'>{call.upstream_request_id}</Fact>
        <Fact name='Task'>{call.task_description}</Fact>
        <Fact name='Metadata'>{call.metadata === null ? null : JSON.stringify(call.metadata)}</Fact>
        <Fact name='Call id'>{call.id}</Fact>
      </SimpleGrid>
      <Group gap='xs'>
        <Copy value={curlLine(window.location.origin, call)} label='Copy as curl' />
        <Text size='xs' c='dimmed'>{curlCaveat(call)}</Text>
      </Group>
      {call.prompt === null && call.response === null
        ? (
          <Text size='sm' c='dimmed'>
            Prompt and response were not stored: the full data of its prompt type was off, or they are past their
            retention.
          </Text>
          )
        : <Conversation prompt={call.prompt} response={call.response} />}
    </Stack>
  )
}
