import type { TestGateway } from '../helpers/gateway.js'

export interface Logged { readonly calls: number, readonly failed: number, readonly cost: number }

/** What the API says of a range, added up from the single rows of the usage log: each call's own cost. */
export async function logged ({ admin }: TestGateway, fromMs: number, toMs: number): Promise<Logged> {
  const sum = { calls: 0, failed: 0, cost: 0 }
  let cursor: string | null = ''
  while (cursor !== null) {
    const query = new URLSearchParams({ from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString(), limit: '500', ...(cursor === '' ? {} : { cursor }) })
    const { items, next_cursor: next } = (await admin('GET', `/usage-logs?${query.toString()}`)).body as { items: Array<{ cost: number | null, success: boolean }>, next_cursor: string | null }
    for (const { cost, success } of items) {
      sum.calls++
      sum.failed += success ? 0 : 1
      sum.cost += cost ?? 0
    }
    cursor = next
  }
  return sum
}
