import { writeFileSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import { type Config, SettingError, parseConfig, readEnvironment } from '../src/env.js'
import { ConnectionUriError } from '../src/lib/connection-uri.js'

const defaults = {
  host: '127.0.0.1',
  port: 8080,
  upstreamApiKey: null,
  upstreamProvider: 'openai',
  upstreamTimeoutMs: 1_200_000,
  databaseUrl: null,
  dataDir: './data',
  adminUsername: 'admin',
  adminPassword: null,
  recordWaitMs: 250,
  streamUsage: 'inject',
  payloadMaxBytes: 262_144,
  maxBodyBytes: 67_108_864,
  maxPromptTypes: 10_000,
  logRetentionDays: 365,
  payloadRetentionDays: 30,
  smtpUrl: null,
  alertEmailFrom: null,
  webhookSecret: null,
  webhookAllowPrivate: false,
  metricsToken: null,
  promptTypeRequired: false,
  corsOrigins: null,
  trustedProxies: [],
  shutdownGraceMs: 30_000,
  logLevel: 'info'
}

/** The message of the error that the variables are refused with. */
function refusal (variables: Record<string, string>): string {
  try {
    parseConfig(variables)
  } catch (error) {
    if (error instanceof SettingError || error instanceof ConnectionUriError) return error.message
    throw error
  }
  return 'taken'
}

t.test('without variables, all is as the contract says', t => {
  const { upstreamBaseUrl, ...config } = parseConfig({})
  t.equal(upstreamBaseUrl.href, 'https://api.openai.com/v1')
  t.same(config, defaults)
  t.end()
})

t.test('an empty variable, or one of white space, is an unset one', t => {
  const names = ['HOST', 'PORT', 'UPSTREAM_BASE_URL', 'UPSTREAM_API_KEY', 'UPSTREAM_PROVIDER', 'UPSTREAM_TIMEOUT_MS', 'DATABASE_URL', 'DATA_DIR', 'ADMIN_USERNAME',
    'ADMIN_PASSWORD', 'RECORD_WAIT_MS', 'STREAM_USAGE', 'PAYLOAD_MAX_BYTES', 'MAX_BODY_BYTES', 'MAX_PROMPT_TYPES',
    'LOG_RETENTION_DAYS', 'PAYLOAD_RETENTION_DAYS', 'METRICS_TOKEN',
    'SHUTDOWN_GRACE_MS', 'LOG_LEVEL', 'SMTP_URL', 'ALERT_EMAIL_FROM', 'WEBHOOK_SECRET', 'WEBHOOK_ALLOW_PRIVATE',
    'PROMPT_TYPE_REQUIRED', 'CORS_ORIGINS', 'TRUSTED_PROXIES']
  for (const empty of ['', ' \n']) t.same(parseConfig(Object.fromEntries(names.map(name => [name, empty]))), parseConfig({}))
  t.end()
})

t.test('every variable is read', t => {
  const { upstreamBaseUrl, ...config } = parseConfig({
    HOST: '::1',
    PORT: '0',
    UPSTREAM_BASE_URL: 'http://localhost:9000/openai/v1/',
    UPSTREAM_API_KEY: ' sk-upstream ',
    UPSTREAM_PROVIDER: 'azure',
    UPSTREAM_TIMEOUT_MS: '5',
    DATABASE_URL: 'postgresql://me:secret@db/books',
    DATA_DIR: '/var/lib/promptmeter',
    ADMIN_USERNAME: 'root',
    ADMIN_PASSWORD: 'swordfish:2',
    RECORD_WAIT_MS: '1',
    STREAM_USAGE: 'estimate',
    PAYLOAD_MAX_BYTES: '1024',
    MAX_BODY_BYTES: '2048',
    MAX_PROMPT_TYPES: '1',
    LOG_RETENTION_DAYS: '2',
    PAYLOAD_RETENTION_DAYS: '1',
    SMTP_URL: 'smtps://me:secret@mail.example.com:465?tls.rejectUnauthorized=false',
    ALERT_EMAIL_FROM: 'Alerts of promptmeter <alerts@example.com>',
    WEBHOOK_SECRET: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    WEBHOOK_ALLOW_PRIVATE: 'true',
    METRICS_TOKEN: ' scrape+me/=1 ',
    PROMPT_TYPE_REQUIRED: 'true',
    CORS_ORIGINS: 'https://app.example, http://localhost:5173',
    TRUSTED_PROXIES: '10.0.0.0/8,::1',
    SHUTDOWN_GRACE_MS: '0',
    LOG_LEVEL: 'silent'
  })
  t.equal(upstreamBaseUrl.href, 'http://localhost:9000/openai/v1/')
  t.same(config, {
    host: '::1',
    port: 0,
    upstreamApiKey: 'sk-upstream',
    upstreamProvider: 'azure',
    upstreamTimeoutMs: 5,
    databaseUrl: 'postgresql://me:secret@db/books',
    dataDir: '/var/lib/promptmeter',
    adminUsername: 'root',
    adminPassword: 'swordfish:2',
    recordWaitMs: 1,
    streamUsage: 'estimate',
    payloadMaxBytes: 1024,
    maxBodyBytes: 2048,
    maxPromptTypes: 1,
    logRetentionDays: 2,
    payloadRetentionDays: 1,
    smtpUrl: 'smtps://me:secret@mail.example.com:465?tls.rejectUnauthorized=false',
    alertEmailFrom: 'Alerts of promptmeter <alerts@example.com>',
    webhookSecret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    webhookAllowPrivate: true,
    metricsToken: 'scrape+me/=1',
    promptTypeRequired: true,
    corsOrigins: ['https://app.example', 'http://localhost:5173'],
    trustedProxies: ['10.0.0.0/8', '::1'],
    shutdownGraceMs: 0,
    logLevel: 'silent'
  })
  t.end()
})

t.test('a number is whole, plain and within its bounds', t => {
  const numbers: Array<[string, keyof Config, number, number]> = [
    ['PORT', 'port', 0, 65_535],
    ['UPSTREAM_TIMEOUT_MS', 'upstreamTimeoutMs', 1, 86_400_000],
    ['RECORD_WAIT_MS', 'recordWaitMs', 1, 60_000],
    ['PAYLOAD_MAX_BYTES', 'payloadMaxBytes', 1024, 16_777_216],
    ['MAX_BODY_BYTES', 'maxBodyBytes', 1024, 1_073_741_824],
    ['MAX_PROMPT_TYPES', 'maxPromptTypes', 1, 1_000_000],
    ['LOG_RETENTION_DAYS', 'logRetentionDays', 1, 36_500],
    ['PAYLOAD_RETENTION_DAYS', 'payloadRetentionDays', 1, 36_500],
    ['SHUTDOWN_GRACE_MS', 'shutdownGraceMs', 0, 3_600_000]
  ]
  for (const [name, key, min, max] of numbers) {
    for (const value of [min, max]) t.equal(parseConfig({ [name]: String(value) })[key], value)
    for (const got of [String(min - 1), String(max + 1), '9'.repeat(30), '1e3', '0x50', '80.5', '1_000', 'many', 'NaN', 'Infinity', '٣', '5 0']) {
      t.equal(refusal({ [name]: got }), `${name} is '${got}', but must be a whole number from ${min} to ${max}`)
    }
  }
  t.end()
})

t.test('a word is one of those there are', t => {
  for (const level of ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']) t.equal(parseConfig({ LOG_LEVEL: level }).logLevel, level)
  t.equal(refusal({ LOG_LEVEL: 'verbose' }), "LOG_LEVEL is 'verbose', but must be one of fatal, error, warn, info, debug, trace, silent")
  t.equal(refusal({ STREAM_USAGE: 'Inject' }), "STREAM_USAGE is 'Inject', but must be one of inject, estimate")
  t.end()
})

t.test('a host is a name or an address', t => {
  for (const host of ['localhost', '0.0.0.0', '::', 'fe80::1%eth0', 'gateway_1.internal']) t.equal(parseConfig({ HOST: host }).host, host)
  for (const host of ['http://0.0.0.0', '0.0.0.0:80', '[::]', 'a b']) {
    t.equal(refusal({ HOST: host }), `HOST is '${host}', but must be a host name or IP address without port or brackets`)
  }
  t.end()
})

t.test('a URL is one of its kind', t => {
  const takes = 'an http or https URL such as https://api.openai.com/v1'
  for (const got of ['api.openai.com/v1', 'ftp://example.com/', 'nonsense', '/v1']) t.equal(refusal({ UPSTREAM_BASE_URL: got }), `UPSTREAM_BASE_URL is '${got}', but must be ${takes}`)
  t.equal(refusal({ UPSTREAM_BASE_URL: 'https://api.openai.com/v1?a=1' }),
    "UPSTREAM_BASE_URL is 'https://api.openai.com/v1…', but must be a URL without user, password, query or fragment")
  for (const url of ['https://me@host/v1', 'https://host/v1#x']) t.match(refusal({ UPSTREAM_BASE_URL: url }), /without user, password, query or fragment$/)
  for (const got of ['db:5432/books', 'mysql://db/books', 'localhost', 'https://db/books']) {
    t.equal(refusal({ DATABASE_URL: got }), "DATABASE_URL is '…', but must be a URL such as postgres://user:password@host:5432/promptmeter")
  }
  t.end()
})

t.test('origins are written as browsers write them, or * alone', t => {
  t.equal(parseConfig({ CORS_ORIGINS: '*' }).corsOrigins, '*')
  t.same(parseConfig({ CORS_ORIGINS: 'HTTPS://App.example:443,http://[::1]:80 ,chrome-extension://abc' }).corsOrigins, ['https://app.example', 'http://[::1]', 'chrome-extension://abc'])
  const takes = 'origins such as https://app.example.com with commas between them, without paths, or * alone'
  for (const got of ['https://a/', 'https://a/b', 'https://*.a', 'app.example', 'null', '*,https://a', 'https://a,', 'https://a?x', 'javascript:x', 'https://a\\b', '://']) {
    t.match(refusal({ CORS_ORIGINS: got }), /^CORS_ORIGINS is '.*', but must be /, got)
    t.match(refusal({ CORS_ORIGINS: got }), takes)
  }
  t.end()
})

t.test('trusted proxies are addresses and ranges', t => {
  for (const got of ['192.0.2.1', '192.0.2.0/24', '0.0.0.0/0', '2001:db8::/32', '::ffff:192.0.2.0/120', '::1/128']) t.same(parseConfig({ TRUSTED_PROXIES: got }).trustedProxies, [got])
  for (const got of ['192.0.2.1/33', '2001:db8::/129', '192.0.2', '192.0.2.1/', '192.0.2.1/-1', '192.0.2.1/08x', 'proxy.internal', 'loopback', 'fe80::1%eth0', '10.0.0.1,', '*']) {
    t.match(refusal({ TRUSTED_PROXIES: got }), /^TRUSTED_PROXIES is '.*', but must be IP addresses and CIDR ranges such as /, got)
  }
  t.end()
})

t.test('a user name has no colon, a key no spaces', t => {
  t.equal(refusal({ ADMIN_USERNAME: 'ann:secret' }), "ADMIN_USERNAME is 'ann:…', but must be a name without a colon (RFC 7617)")
  for (const key of ['sk-secret x', 'sk-secret\nx', 'sk-secreté']) {
    for (const name of ['UPSTREAM_API_KEY', 'METRICS_TOKEN']) {
      t.equal(refusal({ [name]: key }), `${name} is '…', but must be a key of printable ASCII without spaces`)
    }
  }
  t.end()
})

t.test('a gateway key is no key of the upstream', t => {
  const key = `pm_${'aZ09_-x'.repeat(6)}q`
  t.equal(refusal({ UPSTREAM_API_KEY: key }), "UPSTREAM_API_KEY is 'pm_…', but must be the upstream's own key, such as sk-…: gateway keys (pm_…) are for callers")
  for (const other of ['pm_short', `sk-${key}`, `${key}x`]) t.equal(refusal({ UPSTREAM_API_KEY: other }), 'taken')
  t.end()
})

t.test('e-mail needs a server and a sender', t => {
  const takes = 'a URL such as smtp://user:password@host:587, or smtps://… for TLS from the first byte'
  for (const url of ['mail.example.com:587', 'mailto:a@b', 'https://mail.example.com', 'smtp:', 'smtp://']) {
    t.equal(refusal({ SMTP_URL: url, ALERT_EMAIL_FROM: 'a@b' }), `SMTP_URL is '…', but must be ${takes}`)
  }
  t.equal(refusal({ SMTP_URL: 'smtp://localhost' }), "ALERT_EMAIL_FROM is '', but must be the address that e-mails come from, because SMTP_URL is set")
  for (const from of ['a', 'a@b@c', 'a@b, c@d', 'Alerts a@b', 'Alerts <a@b', 'A\r\nBcc: x <a@b>', 'a <b> <a@b>']) {
    t.match(refusal({ ALERT_EMAIL_FROM: from }), /^ALERT_EMAIL_FROM is '.*', but must be an address such as/)
  }
  for (const from of ['alerts@example.com', 'Alërts <a@b>', ' a@b ', '"Alerts, all" <a@b>']) {
    t.equal(parseConfig({ ALERT_EMAIL_FROM: from }).alertEmailFrom, from.trim())
  }
  t.end()
})

t.test('a webhook secret is one of Standard Webhooks', t => {
  const secret = (bytes: number): string => `whsec_${Buffer.alloc(bytes, 251).toString('base64')}`
  for (const bytes of [24, 32, 64]) t.equal(parseConfig({ WEBHOOK_SECRET: secret(bytes) }).webhookSecret, secret(bytes))
  for (const wrong of [secret(23), secret(65), 'whsec_', secret(32).slice(6), `${secret(32)}=`, secret(32).replace('=', ''), `whsec_${'_'.repeat(40)}`]) {
    t.match(refusal({ WEBHOOK_SECRET: wrong }), "WEBHOOK_SECRET is '…', but must be 'whsec_' and 24 to 64 random bytes in base64")
  }
  t.end()
})

t.test('no refusal shows a secret', t => {
  const cases = [
    { SMTP_URL: 'smpt://me:secret@host' },
    { SMTP_URL: 'smtp://me:secret@host' },
    { SMTP_URL: 'smtp://me:secret@host:port', ALERT_EMAIL_FROM: 'a@b' },
    { WEBHOOK_SECRET: 'whsec_secret' },
    { DATABASE_URL: 'postgers://me:secret@db/books' },
    { DATABASE_URL: 'postgres://me:secret@db:port/books' },
    { UPSTREAM_BASE_URL: 'https://me:secret@host/v1' },
    { UPSTREAM_BASE_URL: 'htps://me:secret@host/v1' },
    { UPSTREAM_BASE_URL: 'https://me:sec/secret@host/v1' },
    { UPSTREAM_BASE_URL: 'host/v1?key=secret' },
    { UPSTREAM_BASE_URL: 'https://host/v1?key=secret' },
    { UPSTREAM_BASE_URL: 'sk-secret' },
    { ADMIN_USERNAME: 'admin:secret' },
    { UPSTREAM_API_KEY: 'secret key' },
    { METRICS_TOKEN: 'secret key' },
    { CORS_ORIGINS: 'https://me:secret@host' }
  ]
  for (const variables of cases) t.notMatch(refusal(variables), /secret|taken/)
  t.end()
})

t.test('a refusal is one line, whatever was given', t => {
  const names = ['HOST', 'PORT', 'UPSTREAM_BASE_URL', 'UPSTREAM_API_KEY', 'DATABASE_URL', 'ADMIN_USERNAME', 'RECORD_WAIT_MS', 'STREAM_USAGE', 'METRICS_TOKEN',
    'LOG_LEVEL', 'PROMPT_TYPE_REQUIRED', 'CORS_ORIGINS', 'TRUSTED_PROXIES']
  fc.assert(fc.property(fc.constantFrom(...names), fc.string({ unit: fc.constantFrom('a', ':', '\n', '\r', '\u0085', '\u2028', ' ', '/'), minLength: 1 }), (name, value) => {
    const message = refusal({ [name]: value })
    if (/[\n\r\u0085\u2028\u2029]/.test(message)) throw new Error(JSON.stringify(message))
    if (message !== 'taken' && !message.startsWith(`${name} is '`)) throw new Error(message)
  }))
  t.end()
})

t.test('.env in the working folder is read, beneath what the environment says', t => {
  const home = process.cwd()
  t.teardown(() => {
    process.chdir(home)
    delete process.env.PORT
    delete process.env.ADMIN_USERNAME
  })
  process.chdir(t.testdir())
  process.env.PORT = '1111'
  delete process.env.ADMIN_USERNAME
  t.match(readEnvironment(), { port: 1111, adminUsername: 'admin' })
  writeFileSync('.env', '# settings\nPORT=2222\nADMIN_USERNAME="ann"\n')
  t.match(readEnvironment(), { port: 1111, adminUsername: 'ann' })
  t.end()
})
