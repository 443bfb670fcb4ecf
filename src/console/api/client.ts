import createClient, { type Middleware } from 'openapi-fetch'
import type { components, paths } from './schema.js'

export type Schema = components['schemas']

/** Why the gateway rejected a request, in its own words. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly status: number
  readonly code: string | null
  readonly param: string | null

  constructor (status: number, code: string | null, message: string, param: string | null) {
    super(message)
    this.status = status
    this.code = code
    this.param = param
  }
}

interface ErrorBody {
  readonly error?: {
    readonly message?: string, readonly code?: string | null, readonly param?: string | null
  }
}

const throwErrors: Middleware = {
  async onResponse ({ response }) {
    if (response.ok) return
    const body = await response.clone().json().catch(() => ({})) as ErrorBody
    throw new ApiError(response.status, body.error?.code ?? null,
      body.error?.message ?? `The gateway answered ${response.status} without saying why.`, body.error?.param ?? null)
  },
  onError () {
    return new ApiError(0, null, 'The gateway cannot be reached. Check that it runs and the network.', null)
  }
}

/** The admin API, by the types of its OpenAPI document. Every answer that is an error is thrown as an `ApiError`. */
export const api = createClient<paths>({ baseUrl: '' })
api.use(throwErrors)

/** The body of an answer that is known to be a success: errors were thrown. */
export async function bodyOf<T> (answer: Promise<{ data?: T }>): Promise<T> {
  const { data } = await answer
  if (data === undefined) throw new ApiError(0, null, 'The gateway answered without a body.', null)
  return data
}
