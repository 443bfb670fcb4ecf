import { METHODS } from 'node:http'
import t from 'tap'
import { endpointOf } from '../../src/proxy/endpoints.js'

t.test('creating on the metered routes is metered, and only completions take stream_options', t => {
  t.same(endpointOf('POST', '/chat/completions'), { name: 'chat/completions', metering: 'tokens', takesStreamOptions: true })
  t.same(endpointOf('POST', '/completions'), { name: 'completions', metering: 'tokens', takesStreamOptions: true })
  t.same(endpointOf('POST', '/responses'), { name: 'responses', metering: 'tokens', takesStreamOptions: false })
  t.same(endpointOf('POST', '/embeddings'), { name: 'embeddings', metering: 'tokens', takesStreamOptions: false })
  t.same(endpointOf('POST', '/moderations'), { name: 'moderations', metering: 'free', takesStreamOptions: false })
  t.end()
})

t.test('the query is no part of the route', t => {
  t.same(endpointOf('POST', '/chat/completions?api-version=2024-10-21&x=/y'), endpointOf('POST', '/chat/completions'))
  t.equal(endpointOf('GET', '/files?limit=2').name, 'files')
  t.equal(endpointOf('GET', '?x=1').name, '')
  t.equal(endpointOf('GET', '').name, '')
  t.end()
})

t.test('no other method is metered: reading back what was created bills nothing', t => {
  for (const method of METHODS.filter(method => method !== 'POST')) {
    t.same(endpointOf(method, '/chat/completions'), { name: 'chat/completions', metering: 'none', takesStreamOptions: false })
  }
  t.end()
})

t.test('every other route has its own name and no price', t => {
  for (const path of ['/responses/resp_1', '/responses/resp_1/cancel', '/chat/completions/chatcmpl-1', '/images/generations', '/files', '/embeddings/', '/constructor', '/toString']) {
    t.same(endpointOf('POST', path), { name: path.slice(1), metering: 'none', takesStreamOptions: false })
  }
  t.end()
})
