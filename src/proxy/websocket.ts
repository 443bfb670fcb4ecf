import type { IncomingMessage } from 'node:http'

/** `Upgrade` is a list: RFC 9110 §7.8. */
export function asksForWebSocket ({ headers: { upgrade } }: IncomingMessage): boolean {
  return upgrade !== undefined && /(?:^|,)\s*websocket\s*(?:,|\/|$)/i.test(upgrade)
}
