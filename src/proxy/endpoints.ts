/** What a route costs: tokens, nothing, or nothing that this gateway can tell. */
export type Metering = 'tokens' | 'free' | 'none'

export interface Endpoint {
  /** The route behind `/v1/`, without its query. */
  readonly name: string
  readonly metering: Metering
  /** Streams of this route take `stream_options.include_usage`; those of the Responses API carry usage unasked. */
  readonly takesStreamOptions: boolean
}

const METERED = new Map<string, Endpoint>([
  { name: 'chat/completions', metering: 'tokens' as const, takesStreamOptions: true },
  { name: 'completions', metering: 'tokens' as const, takesStreamOptions: true },
  { name: 'responses', metering: 'tokens' as const, takesStreamOptions: false },
  { name: 'embeddings', metering: 'tokens' as const, takesStreamOptions: false },
  { name: 'moderations', metering: 'free' as const, takesStreamOptions: false }
].map(endpoint => [endpoint.name, endpoint]))

/**
 * @param method HTTP method: only creating with POST is billed, not reading back what was created
 * @param path path and query behind `/v1`, beginning with `/`
 */
export function endpointOf (method: string, path: string): Endpoint {
  const query = path.indexOf('?')
  const name = path.slice(1, query === -1 ? undefined : query)
  const metered = method === 'POST' ? METERED.get(name) : undefined
  return metered ?? { name, metering: 'none', takesStreamOptions: false }
}
