import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Config } from '../env.js'
import { originNotAllowed } from '../errors.js'

/** How long browsers may go by a preflight's answer. A change of `CORS_ORIGINS` is seen after that time. */
const MAX_AGE_SECONDS = '600'
const METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'
/** A list of header names: RFC 9110 §5.6.2. */
const NAMES = /^[\w!#$%&'*+.^`|~, \t-]*$/

/**
 * The gateway's own CORS protocol, for origins that an operator lists:
 * https://fetch.spec.whatwg.org/#http-cors-protocol
 */
export class Cors {
  readonly #origins: ReadonlySet<string> | '*'

  /** @param origins whose pages may call, as browsers write them; `*`: all */
  constructor (origins: NonNullable<Config['corsOrigins']>) {
    this.#origins = origins === '*' ? '*' : new Set(origins)
  }

  /** What a preflight is answered with. @throws GatewayError 403 `origin_not_allowed` */
  preflight ({ headers }: IncomingMessage): string[] {
    const allowed = this.#allowed(headers.origin ?? '')
    if (allowed === null) throw originNotAllowed()
    const asked = headers['access-control-request-headers'] ?? ''
    return [
      'access-control-allow-origin', allowed,
      'access-control-allow-methods', METHODS,
      // `*` would not stand for Authorization.
      ...(asked !== '' && NAMES.test(asked) ? ['access-control-allow-headers', asked] : []),
      'access-control-max-age', MAX_AGE_SECONDS,
      'vary', 'Origin, Access-Control-Request-Headers'
    ]
  }

  /**
   * From here on the head of the answer has what the page that asks needs to read it, be it the upstream's or the
   * gateway's own. Where no page asks, it only says that it would differ if one did: a cache may hold it
   * (https://fetch.spec.whatwg.org/#cors-protocol-and-http-caches).
   */
  attach ({ headers: { origin } }: IncomingMessage, res: ServerResponse): void {
    const answered = origin === undefined ? varied : allowing(this.#allowed(origin))
    const write = res.writeHead.bind(
      res
    ) as (statusCode: number, statusMessage: string | undefined, headers: string[]) => ServerResponse
    const writeHead = (statusCode: number, second?: string | Headers, third?: Headers): ServerResponse => {
      const isMessage = typeof second === 'string'
      return write(statusCode, isMessage ? second : undefined, answered(flat((isMessage ? third : second) ?? [])))
    }
    Object.assign(res, { writeHead })
  }

  #allowed (origin: string): string | null {
    if (this.#origins === '*') return '*'
    return this.#origins.has(origin) ? origin : null
  }
}

type Headers = readonly string[] | OutgoingHttpHeaders

const varied = (headers: readonly string[]): string[] => [...headers, 'vary', 'Origin']

const allowing = (allowed: string | null) => (headers: readonly string[]): string[] => {
  const kept = withoutCors(headers)
  if (allowed !== null) {
    kept.push(
      'access-control-allow-origin', allowed, 'access-control-expose-headers', namesOf(kept)
    )
  }
  return varied(kept)
}

/** A list of names and values, as Node takes it too. */
function flat (headers: Headers): readonly string[] {
  if (Array.isArray(headers)) return headers as string[]
  return Object.entries(headers).flatMap(([name, value]) => [name, String(value)])
}

/** The upstream's own say in it must not stand beside the gateway's. */
function withoutCors (headers: readonly string[]): string[] {
  const kept: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] ?? ''
    if (!/^access-control-/i.test(name)) kept.push(name, headers[i + 1] ?? '')
  }
  return kept
}

/** All of an answer's headers: clients read request ids, limits and when to retry. */
function namesOf (headers: readonly string[]): string {
  const names = new Set<string>()
  for (let i = 0; i < headers.length; i += 2) names.add((headers[i] ?? '').toLowerCase())
  names.delete('set-cookie') // No page may read it.
  return [...names].join(', ')
}
