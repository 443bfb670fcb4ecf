import fc from 'fast-check'
import t from 'tap'
import { Type } from 'typebox'
import { pageOf, readPageQuery, toPage } from '../../src/admin/keyset-page.js'

const place = Type.Tuple([Type.Integer()])
const id = (row: number) => [row] as const

t.test('a query without a limit and cursor asks for fifty items from the start', t => {
  const query: { name: string, limit?: number } = { name: 'a' }
  t.strictSame(readPageQuery(place, query), { limit: 50, after: null, filter: { name: 'a' } })
  t.end()
})

t.test('pages give each row once, in order, and the last one has no cursor', t => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 1, max: 12 }), (count, limit) => {
    const rows = Array.from({ length: count }, (_, row) => row)
    const seen: number[] = []
    let pages = 0
    for (let cursor: string | undefined; ;) {
      const query = readPageQuery(place, { limit, ...cursor === undefined ? {} : { cursor } })
      const first = query.after === null ? 0 : query.after[0] + 1
      const page = toPage(pageOf(rows.slice(first, first + query.limit + 1), query.limit, id), count)
      seen.push(...page.items)
      pages++
      if (page.next_cursor === null) break
      cursor = page.next_cursor
    }
    t.strictSame([seen, pages], [rows, Math.max(1, Math.ceil(count / limit))])
  }))
  t.end()
})

t.test('a cursor of another list is refused', t => {
  const encoded = ['["a"]', '[1,2]', 'null'].map(text => Buffer.from(text).toString('base64url'))
  for (const cursor of ['', 'x', ...encoded]) {
    t.throws(() => readPageQuery(place, { cursor }), { statusCode: 400, code: 'invalid_cursor' }, cursor)
  }
  t.end()
})
