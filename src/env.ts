import { existsSync } from 'node:fs'
import { isIP } from 'node:net'
import { loadEnvFile } from 'node:process'
import { parseConnectionUri } from './lib/connection-uri.js'
import { misspeltSettings } from './misspelt-settings.js'
import { parseNetwork } from './lib/trusted-proxies.js'

/** The gateway's settings, checked and in units that their names give. */
export interface Config {
  readonly host: string
  readonly port: number
  readonly upstreamBaseUrl: URL
  readonly upstreamApiKey: string | null
  readonly upstreamProvider: string
  readonly upstreamTimeoutMs: number
  readonly databaseUrl: string | null
  readonly dataDir: string
  readonly adminUsername: string
  readonly adminPassword: string | null
  readonly recordWaitMs: number
  readonly streamUsage: 'inject' | 'estimate'
  readonly payloadMaxBytes: number
  readonly maxBodyBytes: number
  readonly maxPromptTypes: number
  /** Whole usage-log rows, and the prompt and response in them, are kept for at least so long. */
  readonly logRetentionDays: number
  readonly payloadRetentionDays: number
  /** Of alerts; null: none goes by e-mail. Holds a password. */
  readonly smtpUrl: string | null
  /** What alerts by e-mail come from: an address, or `name <address>`. Not null where `smtpUrl` is not. */
  readonly alertEmailFrom: string | null
  /** Signs webhooks (`whsec_…`); null: one is generated and kept in `dataDir`. */
  readonly webhookSecret: string | null
  /** Webhooks may go to loopback, link-local and private addresses. */
  readonly webhookAllowPrivate: boolean
  /** Callers of `/metrics` must send it; null: they need none. */
  readonly metricsToken: string | null
  /** A call has to name its prompt type. */
  readonly promptTypeRequired: boolean
  /** Origins whose pages may call, as browsers write them; `*`: all; null: the upstream decides. */
  readonly corsOrigins: readonly string[] | '*' | null
  /** Addresses and CIDR ranges whose `X-Forwarded-For` is believed. */
  readonly trustedProxies: readonly string[]
  readonly shutdownGraceMs: number
  readonly logLevel: LogLevel
}

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
export type LogLevel = typeof LOG_LEVELS[number]

type Variables = Readonly<Record<string, string | undefined>>

/** A setting with an invalid value: one line that names the variable, its value, and what it must be. */
export class SettingError extends Error {
  override readonly name = 'SettingError'
  constructor (variable: string, got: string, takes: string) {
    super(`${variable} is '${got.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, '…')}', but must be ${takes}`)
  }
}

/** Reads the settings from the environment, and from `.env` in the working folder for variables that are not set. */
export function readEnvironment (): Config {
  if (existsSync('.env')) loadEnvFile('.env')
  return parseConfig(process.env)
}

/** Variables of the environment that are nearly a setting, each with the setting that is probably meant. */
export function misspeltVariables (variables: Variables = process.env): ReturnType<typeof misspeltSettings> {
  const settings = new Set<string>()
  const asked = (_none: object, name: string | symbol): undefined => { settings.add(String(name)) }
  parseConfig(new Proxy({}, { get: asked }))
  return misspeltSettings(settings, variables)
}

/**
 * The settings from these variables, with defaults.
 * @throws SettingError, or ConnectionUriError, for the first variable with an invalid value
 */
export function parseConfig (variables: Variables): Config {
  const text = (name: string): string | null => {
    const value = variables[name]?.trim()
    return value === undefined || value === '' ? null : value
  }
  const integer = (name: string, fallback: number, min: number, max: number): number => {
    const got = text(name)
    if (got === null) return fallback
    const value = Number(got)
    if (!/^\d+$/.test(got) || value < min ||
      value > max) throw new SettingError(name, got, `a whole number from ${min} to ${max}`)
    return value
  }
  const oneOf = <T extends string>(name: string, fallback: T, values: readonly T[]): T => {
    const got = text(name)
    if (got === null) return fallback
    const value = values.find(value => value === got)
    if (value === undefined) throw new SettingError(name, got, `one of ${values.join(', ')}`)
    return value
  }
  return {
    host: host(text('HOST') ?? '127.0.0.1'),
    port: integer('PORT', 8080, 0, 65535),
    upstreamBaseUrl: upstreamBaseUrl(text('UPSTREAM_BASE_URL') ?? 'https://api.openai.com/v1'),
    upstreamApiKey: upstreamApiKey(text('UPSTREAM_API_KEY')),
    upstreamProvider: text('UPSTREAM_PROVIDER') ?? 'openai',
    upstreamTimeoutMs: integer('UPSTREAM_TIMEOUT_MS', 1_200_000, 1, 86_400_000),
    databaseUrl: databaseUrl(text('DATABASE_URL')),
    dataDir: text('DATA_DIR') ?? './data',
    adminUsername: adminUsername(text('ADMIN_USERNAME') ?? 'admin'),
    adminPassword: text('ADMIN_PASSWORD'),
    recordWaitMs: integer('RECORD_WAIT_MS', 250, 1, 60_000),
    streamUsage: oneOf('STREAM_USAGE', 'inject', ['inject', 'estimate']),
    payloadMaxBytes: integer('PAYLOAD_MAX_BYTES', 262_144, 1024, 16_777_216),
    maxBodyBytes: integer('MAX_BODY_BYTES', 67_108_864, 1024, 1_073_741_824),
    maxPromptTypes: integer('MAX_PROMPT_TYPES', 10_000, 1, 1_000_000),
    logRetentionDays: integer('LOG_RETENTION_DAYS', 365, 1, 36_500),
    payloadRetentionDays: integer('PAYLOAD_RETENTION_DAYS', 30, 1, 36_500),
    ...alertEmail(text('SMTP_URL'), text('ALERT_EMAIL_FROM')),
    webhookSecret: webhookSecret(text('WEBHOOK_SECRET')),
    webhookAllowPrivate: oneOf('WEBHOOK_ALLOW_PRIVATE', 'false', ['true', 'false']) === 'true',
    metricsToken: headerText('METRICS_TOKEN', text('METRICS_TOKEN')),
    promptTypeRequired: oneOf('PROMPT_TYPE_REQUIRED', 'false', ['true', 'false']) === 'true',
    corsOrigins: corsOrigins(text('CORS_ORIGINS')),
    trustedProxies: list(text('TRUSTED_PROXIES')).map(trustedProxy),
    shutdownGraceMs: integer('SHUTDOWN_GRACE_MS', 30_000, 0, 3_600_000),
    logLevel: oneOf('LOG_LEVEL', 'info', LOG_LEVELS)
  }
}

/** Values with commas between them. */
const list = (got: string | null): string[] => got?.split(',').map(value => value.trim()) ?? []

function corsOrigins (got: string | null): Config['corsOrigins'] {
  if (got === null || got === '*') return got
  return list(got).map(origin => {
    // Of a scheme that the URL standard does not know, such as an extension's, an origin is compared as it stands.
    const url = URL.canParse(origin) ? new URL(origin) : null
    const isWeb = url?.protocol === 'https:' || url?.protocol === 'http:'
    const isOrigin = url !== null && /^[a-z][a-z\d+.-]*:\/\/[^\s/?#@*\\]+$/i.test(origin) && url.host !== ''
    if (!isOrigin) {
      throw new SettingError(
        'CORS_ORIGINS',
        withoutSecrets(origin),
        'origins such as https://app.example.com with commas between them, without paths, or * alone'
      )
    }
    return isWeb ? url.origin : origin
  })
}

function trustedProxy (got: string): string {
  if (parseNetwork(got) === null) {
    throw new SettingError(
      'TRUSTED_PROXIES', got, 'IP addresses and CIDR ranges such as 10.0.0.0/8 or fd00::1 with commas between them'
    )
  }
  return got
}

/** The values that no message may show. */
export function secretsOf (config: Config): string[] {
  const { upstreamApiKey, adminPassword, metricsToken, webhookSecret, databaseUrl, smtpUrl } = config
  return [
    upstreamApiKey,
    adminPassword,
    metricsToken,
    webhookSecret,
    databaseUrl === null ? null : parseConnectionUri(databaseUrl).password,
    smtpUrl === null ? null : new URL(smtpUrl).password
  ].filter(secret => secret !== null)
}

function host (got: string): string {
  if (isIP(got) === 0 && !/^[\w.-]+$/.test(got)) {
    throw new SettingError(
      'HOST', got, 'a host name or IP address without port or brackets'
    )
  }
  return got
}

/** What was given for a URL, less user, password and query, and less a key that took its place by mistake. */
function withoutSecrets (got: string): string {
  return got.replace(/^.*@/s, '…@').replace(/[?#][^]*/, '…').replace(/(?:sk-|pm_).*$/s, '…')
}

function upstreamBaseUrl (got: string): URL {
  const url = URL.canParse(got) ? new URL(got) : null
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    throw new SettingError(
      'UPSTREAM_BASE_URL', withoutSecrets(got), 'an http or https URL such as https://api.openai.com/v1'
    )
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new SettingError('UPSTREAM_BASE_URL', withoutSecrets(got), 'a URL without user, password, query or fragment')
  }
  return url
}

/** Never repeats the value: it holds a password. */
function databaseUrl (got: string | null): string | null {
  if (got !== null) parseConnectionUri(got)
  return got
}

/** Does not repeat what stands behind the colon: it may be meant for a password. */
function adminUsername (got: string): string {
  if (got.includes(':')) {
    throw new SettingError(
      'ADMIN_USERNAME', `${got.slice(0, got.indexOf(':'))}:…`, 'a name without a colon (RFC 7617)'
    )
  }
  return got
}

function headerText (name: string, got: string | null): string | null {
  if (got !== null && !/^[\x21-\x7e]+$/.test(got)) {
    throw new SettingError(
      name, '…', 'a key of printable ASCII without spaces'
    )
  }
  return got
}

/** A gateway key would be taken out of the call again, and is no key to the upstream. */
function upstreamApiKey (got: string | null): string | null {
  if (got !== null && /^pm_[\w-]{43}$/.test(got)) {
    const takes = "the upstream's own key, such as sk-…: gateway keys (pm_…) are for callers"
    throw new SettingError('UPSTREAM_API_KEY', 'pm_…', takes)
  }
  return headerText('UPSTREAM_API_KEY', got)
}

/** The URL is never repeated: it holds a password. */
function alertEmail (smtpUrl: string | null, from: string | null): Pick<Config, 'smtpUrl' | 'alertEmailFrom'> {
  if (smtpUrl !== null) {
    const url = URL.canParse(smtpUrl) ? new URL(smtpUrl) : null
    if (url === null || !/^smtps?:$/.test(url.protocol) || url.hostname === '') {
      throw new SettingError(
        'SMTP_URL', '…', 'a URL such as smtp://user:password@host:587, or smtps://… for TLS from the first byte'
      )
    }
    if (from === null) {
      throw new SettingError(
        'ALERT_EMAIL_FROM', '', 'the address that e-mails come from, because SMTP_URL is set'
      )
    }
  }
  if (from !== null &&
    !/^(?:[^\p{Cc}<>@]* <[^\s\p{Cc}<>@]+@[^\s\p{Cc}<>@]+>|[^\s\p{Cc}<>@]+@[^\s\p{Cc}<>@]+)$/u.test(from)) {
    throw new SettingError(
      'ALERT_EMAIL_FROM', from, 'an address such as alerts@example.com, or a name with it: Alerts <alerts@example.com>'
    )
  }
  return { smtpUrl, alertEmailFrom: from }
}

/** https://www.standardwebhooks.com: base64 of 24 to 64 bytes. */
function webhookSecret (got: string | null): string | null {
  const [, base64 = ''] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(got ?? '') ?? []
  const bytes = Buffer.from(base64, 'base64')
  if (got !== null && (bytes.length < 24 || bytes.length > 64 || bytes.toString('base64') !== base64)) {
    throw new SettingError(
      'WEBHOOK_SECRET',
      '…',
      "'whsec_' and 24 to 64 random bytes in base64, such as from: echo whsec_$(openssl rand -base64 32)"
    )
  }
  return got
}
