import t from 'tap'
import type { Database } from '../../src/db/database.js'
import { alertDeliveries, budgetAlerts } from '../../src/db/schema/index.js'
import { onEachDatabase } from './each-database.js'
import { allPages, errorOf, type Page, startAdmin } from './start-admin.js'

const list = '/admin/api/budget-alerts'
const uuid = (
  kind: number, number: number
): string => `0000000${kind}-0000-4000-8000-${String(number).padStart(12, '0')}`

async function addAlert (
  database: Database, number: number, fields: Partial<typeof budgetAlerts.$inferInsert> = {}
): Promise<void> {
  await database.operator.insert(budgetAlerts).values({
    id: uuid(1, number),
    budget_id: uuid(3, number % 2),
    budget_name: 'images',
    prompt_type: 'a',
    period: 'month',
    period_start: '2028-02-01T00:00:00Z',
    threshold: 10 + number,
    action: 'block',
    limit_usd: '0.3',
    spent_usd: '0.240000000001',
    created_at: `2028-02-29T12:00:00.00000${number % 3}Z`,
    ...fields
  })
}

onEachDatabase(t, 'an alert is shown with every attempt of each delivery, a webhook without what may be secret', async (
  t, database
) => {
  const { call } = await startAdmin(t, database)
  await addAlert(database, 1, { threshold: 80 })
  const attempts = [
    { at: '2028-02-29T12:00:00.100Z', duration_ms: 10_000, status_code: null, error: 'no answer within 10 s' },
    { at: '2028-02-29T12:00:15.100Z', duration_ms: 20, status_code: 200, error: null }
  ]
  await database.operator.insert(alertDeliveries).values([{
    id: uuid(
      2, 1
    ),
    alert_id: uuid(
      1, 1
    ),
    channel: 'webhook',
    target: 'https://hooks.example.com:8443/services/s3cret?t=s3cret',
    state: 'delivered',
    attempt_count: 2,
    attempts,
    next_attempt_at: '2028-02-29T12:02:00Z',
    delivered_at: '2028-02-29T12:00:15.120Z'
  }, {
    id: uuid(
      2, 2
    ),
    alert_id: uuid(1, 1),
    channel: 'email',
    target: 'ops@example.com',
    next_attempt_at: '2028-02-29T12:00:00Z'
  }])
  const { status, body } = await call('GET', list)
  t.equal(status, 200)
  t.strictSame(body, {
    items: [{
      id: uuid(1, 1),
      budget_id: uuid(3, 1),
      budget_name: 'images',
      prompt_type: 'a',
      period: 'month',
      period_start: '2028-02-01T00:00:00.000Z',
      threshold: 80,
      action: 'block',
      limit_usd: 0.3,
      spent_usd: 0.240000000001,
      created_at: '2028-02-29T12:00:00.000Z',
      deliveries: [
        {
          id: uuid(2, 2),
          channel: 'email',
          target: 'ops@example.com',
          state: 'pending',
          attempt_count: 0,
          attempts: [],
          next_attempt_at: '2028-02-29T12:00:00.000Z',
          delivered_at: null
        },
        {
          id: uuid(2, 1),
          channel: 'webhook',
          target: 'https://hooks.example.com:8443',
          state: 'delivered',
          attempt_count: 2,
          attempts,
          next_attempt_at: null,
          delivered_at: '2028-02-29T12:00:15.120Z'
        }
      ]
    }],
    total: 1,
    next_cursor: null
  })
})

onEachDatabase(t, 'alerts are listed newest first, by budget and prompt type, on pages that neither skip nor repeat', async (
  t, database
) => {
  const admin = await startAdmin(t, database)
  for (let number = 0; number < 9; number++) await addAlert(database, number, { prompt_type: number < 4 ? 'a' : null })
  const pages = await allPages(admin, `${list}?limit=2`)
  const numbers = (page: Page): number[] => page.items.map(item => Number(String(item['id']).slice(-1)))
  t.strictSame(pages.flatMap(numbers), [8, 5, 2, 7, 4, 1, 6, 3, 0])
  t.ok(pages.every(({ total }) => total === 9))
  const found = async (query: string): Promise<string> => {
    const page = (await admin.call('GET', `${list}?${query}`)).body as Page
    return `${page.total} ${numbers(page).join('')}`
  }
  t.equal(await found(`budget_id=${uuid(3, 1)}`), '4 5713')
  t.equal(await found('prompt_type=a'), '4 2130')
  t.equal(await found(`prompt_type=a&budget_id=${uuid(3, 0)}`), '2 20')
  t.equal(await found('prompt_type=none'), '0 ')
  t.equal(errorOf(await admin.call('GET', `${list}?budget_id=x`)), '400 invalid_field budget_id')
  t.equal(errorOf(await admin.call('GET', `${list}?cursor=x`)), '400 invalid_cursor cursor')
  t.equal(errorOf(await admin.call('GET', `${list}?state=failed`)), '400 unknown_field state')
})
