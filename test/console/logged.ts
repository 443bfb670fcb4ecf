import type { TestGateway } from '../helpers/gateway.js'

export interface Logged { readonly calls: number, readonly failed: number, readonly cost: number }

interface Page {
  readonly items: ReadonlyArray<{ readonly cost: number | null, readonly success: boolean }>
  readonly next_cursor: string | null
}

/** What the API says of a range, added up from the single rows of the usage log: each call's own cost. */
export async function logged ({ admin }: TestGateway, fromMs: number, toMs: number): Promise<Logged> {
  const sum = { calls: 0, failed: 0, cost: 0 }
  let cursor: string | null = ''
  while (cursor !== null) {
    const [from, to] = [fromMs, toMs].map(ms => new Date(ms).toISOString())
    const query = new URLSearchParams({
      from: from ?? '', to: to ?? '', limit: '500', ...(cursor === '' ? {} : { cursor })
    })
    const { items, next_cursor: next } = (await admin('GET', `/usage-logs?${query.toString()}`)).body as Page
    for (const { cost, success } of items) {
      sum.calls++
      sum.failed += success ? 0 : 1
      sum.cost += cost ?? 0
    }
    cursor = next
  }
  return sum
}
