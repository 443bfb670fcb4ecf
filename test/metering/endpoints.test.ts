import { METHODS } from 'node:http'
import t from 'tap'
import { costliestMethod, endpointOf } from '../../src/metering/endpoints.js'

const metering = (method: string, path: string, hasBody?: boolean): string => endpointOf(method, path, hasBody).metering

t.test('creating on the known routes is metered, and only completions take stream_options', t => {
  t.same(endpointOf('POST', '/chat/completions'), {
    name: 'chat/completions', metering: 'tokens', takesStreamOptions: true
  })
  t.same(endpointOf('POST', '/completions'), { name: 'completions', metering: 'tokens', takesStreamOptions: true })
  t.same(endpointOf('POST', '/responses'), { name: 'responses', metering: 'tokens', takesStreamOptions: false })
  t.same(endpointOf('POST', '/responses/compact'), {
    name: 'responses/compact', metering: 'tokens', takesStreamOptions: false
  })
  t.same(endpointOf('POST', '/embeddings'), { name: 'embeddings', metering: 'tokens', takesStreamOptions: false })
  t.end()
})

t.test('the query is no part of the route', t => {
  t.same(endpointOf('POST', '/chat/completions?api-version=2024-10-21&x=/y'), endpointOf('POST', '/chat/completions'))
  t.equal(endpointOf('GET', '/files?limit=2').name, 'files')
  t.equal(endpointOf('GET', '?x=1').name, '')
  t.equal(endpointOf('GET', '').name, '')
  t.end()
})

t.test('a known route counts however a server may let it be spelled', t => {
  for (const path of [
    '/chat/completions/', '//chat///completions//', '/%63hat/%43ompletions', '/./chat/x/../completions/.', '/chat%2Fcompletions', '/chat%2fcompletions%2F',
    '/chat%252Fcompletions', '/%2563hat/completions', '\\chat\\completions', '/chat%5Ccompletions', '/chat;v=1/completions;x', '/chat/completions%3Fx=1',
    '/chat/completions#x', '/chat/completions%23', '/Chat/COMPLETIONS', '/chat/completions%20', '/chat/completions%00', '/files/..%2fchat/completions',
    '/%2e/chat/completions?a=b', '/chat%c0%afcompletions'
  ]) t.same(endpointOf('POST', path), endpointOf('POST', '/chat/completions'), path)
  t.equal(endpointOf('POST', '/responses//compact/').name, 'responses/compact')
  t.end()
})

t.test('reading and removing are free; every other method may create', t => {
  const reading = ['GET', 'HEAD', 'OPTIONS', 'DELETE']
  for (const method of METHODS) {
    t.equal(metering(method, '/chat/completions'), reading.includes(method) ? 'free' : 'tokens', method)
    t.equal(metering(method, '/videos'), reading.includes(method) ? 'free' : 'usage', method)
  }
  t.equal(metering('GET', '/responses/resp_1'), 'free', 'what is read back has usage, too')
  t.end()
})

t.test('a request that seems to read is no way around', t => {
  t.equal(metering('GET', '/chat/completions', true), 'usage', 'a body that asks for a completion')
  t.equal(metering('GET', '/chat%2Fcompletions/', true), 'usage')
  t.equal(metering('DELETE', '/files/file-1', true), 'free')
  t.equal(costliestMethod('GET', { 'x-http-method-override': 'post' }), 'POST')
  t.equal(costliestMethod('GET', { x_http_method_override: 'POST' }), 'POST')
  t.equal(costliestMethod('OPTIONS', { 'x-method-override': 'PUT' }), 'PUT')
  t.equal(costliestMethod('POST', { 'x-http-method-override': 'GET' }), 'POST')
  t.equal(costliestMethod('GET', { 'x-http-method': 'DELETE' }), 'GET')
  t.end()
})

t.test('routes that are known to cost nothing are free, by their normal form alone', t => {
  for (const path of [
    '/moderations', '/files', '/uploads/upload_1/parts', '/vector_stores/vs_1/file_batches/vsfb_1/cancel', '/conversations/conv_1/items', '/responses/input_tokens',
    '/responses/resp_1/cancel', '/chat/completions/chatcmpl-1', '/batches/batch_1/cancel', '/fine_tuning/checkpoints/ft:gpt-4o:org::1/permissions',
    '/realtime/calls/rtc_1/hangup', '/containers/cntr_1/files', '//files/', '/%66iles', '/x/../files?purpose=batch'
  ]) t.equal(metering('POST', path), 'free', path)
  t.equal(metering('POST', '/threads/thread_abc'), 'free')
  t.equal(metering('POST', '/threads/runs'), 'usage', 'it makes a thread, and runs it')
  for (const path of [
    '/Moderations', '/files%2F', '/files;x', '/files\\', '/moderations%20', '/%2566iles', '/responses/%2e%2e%2f/cancel'
  ]) t.equal(metering('POST', path), 'usage', path)
  t.equal(metering('PUT', '/moderations'), 'usage')
  t.end()
})

t.test('every other creating request may cost something, and has its normal form for a name', t => {
  for (const path of [
    '/images/generations', '/audio/speech', '/batches', '/fine_tuning/jobs', '/containers', '/realtime/client_secrets', '/deployments/x/chat/completions',
    '/engines/x/completions', '/chat/completions/stream', '/responses/resp_1', '/constructor', '/toString'
  ]) t.same(endpointOf('POST', path), { name: path.slice(1), metering: 'usage', takesStreamOptions: false })
  t.equal(endpointOf('POST', '//images/./generations/').name, 'images/generations')
  t.end()
})
