import { ADMIN } from './gateway.js'

/** One call to the operator's API of a gateway, logged in; for gateways that are processes of their own. */
export async function operatorCall (
  origin: string, method: string, path: string, body?: object
): Promise<{ status: number, body: unknown }> {
  const response = await fetch(`${origin}/admin/api${path}`, {
    method,
    headers: {
      authorization: `Basic ${btoa(`${ADMIN.username}:${ADMIN.password}`)}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' })
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) })
  })
  const text = await response.text()
  return { status: response.status, body: text === '' ? null : JSON.parse(text) as unknown }
}
