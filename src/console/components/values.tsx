import { Badge, Text, Tooltip } from '@mantine/core'
import { bareTime, exactMoney, money, utcTime, viewersTime } from '../format.js'

/** An amount in USD; the exact one on hover and focus. */
export function Money ({ usd }: { usd: number | null | undefined }) {
  if (usd === null || usd === undefined) return <Text span c='dimmed' inherit>–</Text>
  return <Tooltip label={exactMoney(usd)}><span className='number'>{money(usd)}</span></Tooltip>
}

/** In UTC; on hover what that is in the viewer's zone. `isBare`: its column's header says UTC. */
export function Time ({ at, isBare = false }: { at: string | null | undefined, isBare?: boolean }) {
  if (at === null || at === undefined) return <Text span c='dimmed' inherit>never</Text>
  return (
    <Tooltip label={viewersTime(at)} multiline maw={280}>
      <time dateTime={at}>{isBare ? bareTime(at) : utcTime(at)}</time>
    </Tooltip>
  )
}

/** A change against the period before: spending more is not good news, so it is not green. Null: that had nothing. */
export function Change ({ share }: { share: number | null }) {
  if (share === null) return <Text span c='dimmed' size='xs'>none in the period before</Text>
  const text = `${share >= 0 ? '+' : '−'}${Math.abs(share * 100).toFixed(0)} %`
  return (
    <Badge
      size='sm' miw='max-content' variant='light' color={share > 0.05
        ? 'orange'
        : share < -0.05 ? 'teal' : 'gray'}
    >{text}
    </Badge>
  )
}
