import t from 'tap'
import { misspeltVariables } from '../src/env.js'
import { startGatewayProcess } from './helpers/gateway-process.js'
import { temporaryFolder } from './helpers/database.js'

t.test('a variable that is nearly a setting is told of, with that setting', t => {
  for (const [name, meant] of [
    ['UPSTREAM_APIKEY', 'UPSTREAM_API_KEY'], [
      'UPSTREAM_BASEURL', 'UPSTREAM_BASE_URL'
    ], ['UPSTREAM_API_KEYS', 'UPSTREAM_API_KEY'], ['UPSTRAEM_API_KEY', 'UPSTREAM_API_KEY'],
    ['DATABASE_URI', 'DATABASE_URL'], [
      'upstream_api_key', 'UPSTREAM_API_KEY'
    ], ['CORS_ORIGIN', 'CORS_ORIGINS'], ['TRUSTED_PROXY', undefined], ['WEBHOOK_SECRETS', 'WEBHOOK_SECRET'],
    ['HOME', undefined], ['HOSTS', undefined], ['PATH', undefined], ['OPENAI_API_KEY', undefined], [
      'OPENAI_BASE_URL', undefined
    ], [
      'UPSTREAM_API_KEY', undefined
    ], ['XDG_DATA_DIRS', undefined],
    ['HTTP_PROXY', undefined], ['npm_config_loglevel', undefined], ['NODE_EXTRA_CA_CERTS', undefined]
  ] as const) t.same(misspeltVariables({ [name]: 'x' }), meant === undefined ? [] : [{ name, meant }], name)
  t.same(misspeltVariables({ UPSTREAM_API_KEY: 'sk-1', UPSTREAM_API_KEYS: 'x' }), [], 'the setting itself is there')
  t.end()
})

t.test('a start says it in the log, without the value', async t => {
  const gateway = await startGatewayProcess(t, {
    upstreamUrl: 'http://127.0.0.1:9/v1',
    location: { databaseUrl: null, dataDir: temporaryFolder(t) },
    env: { UPSTREAM_APIKEY: 'sk-very-secret' }
  })
  await gateway.stop()
  t.match(gateway.log.filter(({ level }) => level === 40), [{ msg: /UPSTREAM_APIKEY.*did you mean UPSTREAM_API_KEY/ }])
  t.notMatch(JSON.stringify(gateway.log), 'very-secret')
})
