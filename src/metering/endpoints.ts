import { normalName, pathReadings, withoutQuery } from './path-readings.js'

/**
 * How a request is metered.
 *
 * - `tokens`: a known route that is billed by tokens; estimated where the answer does not say how many.
 * - `usage`: it may cost money, and is metered if its answer has OpenAI's `usage`.
 * - `free`: it reads, or is known to cost nothing. It is no call.
 */
export type Metering = 'tokens' | 'usage' | 'free'

export interface Endpoint {
  /** The route behind `/v1/` in its normal form, without its query. */
  readonly name: string
  readonly metering: Metering
  /** Streams of this route take `stream_options.include_usage`; those of the Responses API carry usage unasked. */
  readonly takesStreamOptions: boolean
}

/**
 * Whether calls of an endpoint may cost anything, as far as the gateway knows. Requests that cannot cost are no calls.
 */
export function mayCost ({ metering }: Pick<Endpoint, 'metering'>): boolean {
  return metering !== 'free'
}

const METERED: ReadonlyMap<string, Endpoint> = new Map([
  { name: 'chat/completions', metering: 'tokens' as const, takesStreamOptions: true },
  { name: 'completions', metering: 'tokens' as const, takesStreamOptions: true },
  { name: 'responses', metering: 'tokens' as const, takesStreamOptions: false },
  { name: 'responses/compact', metering: 'tokens' as const, takesStreamOptions: false },
  { name: 'embeddings', metering: 'tokens' as const, takesStreamOptions: false }
].map(endpoint => [endpoint.name, endpoint]))

/** Segments of the longest metered route. */
const MAX_METERED_SEGMENTS = 2

/** Methods that read or remove: nothing is created, so nothing is billed. */
const READING: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'DELETE'])

/**
 * Routes whose POST costs nothing: https://platform.openai.com/docs/api-reference. What ends a session or a job is
 * among them.
 */
const FREE: readonly RegExp[] = [
  'moderations',
  'responses/input_tokens', 'responses/{id}/cancel',
  'chat/completions/chatcmpl-{id}',
  'conversations', 'conversations/{id}', 'conversations/{id}/items',
  'files',
  'uploads', 'uploads/{id}/parts', 'uploads/{id}/complete', 'uploads/{id}/cancel',
  'vector_stores', 'vector_stores/{id}', 'vector_stores/{id}/search', 'vector_stores/{id}/files', 'vector_stores/{id}/files/{id}',
  'vector_stores/{id}/file_batches', 'vector_stores/{id}/file_batches/{id}/cancel',
  'containers/{id}/files',
  'batches/{id}/cancel',
  'fine_tuning/jobs/{id}/cancel', 'fine_tuning/jobs/{id}/pause', 'fine_tuning/checkpoints/{id}/permissions', 'fine_tuning/alpha/graders/validate',
  'evals', 'evals/{id}', 'evals/{id}/runs/{id}',
  'realtime/calls/{id}/hangup', 'realtime/calls/{id}/reject',
  'assistants', 'assistants/{id}', 'threads', 'threads/thread_{id}', 'threads/{id}/messages', 'threads/{id}/messages/{id}',
  'threads/{id}/runs/{id}', 'threads/{id}/runs/{id}/cancel'
].map(route => new RegExp(`^${route.replaceAll('{id}', '[A-Za-z0-9][\\w.:-]*')}$`))

/**
 * What a request may cost. A path counts as a metered route if any server may read it as one, and as a free route only
 * if its normal form is one.
 *
 * @param path path and query behind `/v1`, beginning with `/`
 */
export function endpointOf (method: string, path: string, hasBody = false): Endpoint {
  const plain = withoutQuery(path)
  if (method === 'POST') {
    const known = METERED.get(plain.slice(1))
    if (known !== undefined) return known
  }
  const name = normalName(plain)
  if (READING.has(method)) {
    // Reading takes no body. A server that does not look at the method may create what this one asks for.
    const mayCreate = hasBody && meteredReading(plain) !== undefined
    return { name, metering: mayCreate ? 'usage' : 'free', takesStreamOptions: false }
  }
  const metered = meteredReading(plain)
  if (metered !== undefined) return metered
  const isFree = method === 'POST' && FREE.some(route => route.test(name))
  return { name, metering: isFree ? 'free' : 'usage', takesStreamOptions: false }
}

/** The metered route that some server may take the path for. */
function meteredReading (path: string): Endpoint | undefined {
  for (const segments of pathReadings(path)) {
    if (segments === null || segments.length > MAX_METERED_SEGMENTS) continue
    const known = METERED.get(segments.join('/').toLowerCase())
    if (known !== undefined) return known
  }
  return undefined
}

/** Headers by which some servers let a request name another method than its own. */
const METHOD_OVERRIDES: ReadonlySet<string> = new Set(['x-http-method-override', 'x-http-method', 'x-method-override'])

/**
 * The method by which a request may cost the most: its own, unless that only reads and a header names another. Servers
 * that make variables of headers' names take `_` for `-`.
 */
export function costliestMethod (
  method: string, headers: Readonly<Record<string, string | string[] | undefined>>
): string {
  if (!READING.has(method)) return method
  for (const name in headers) {
    if (!name.startsWith('x') || !METHOD_OVERRIDES.has(name.replaceAll('_', '-'))) continue
    const other = String(headers[name] ?? '').toUpperCase()
    if (other !== '' && !READING.has(other)) return other
  }
  return method
}
