import { GatewayError } from '../errors.js'

const request = 'invalid_request_error'

export const loginRequired = (): GatewayError => new GatewayError(401, 'invalid_login', request,
  'Log in with HTTP basic auth as the operator (ADMIN_USERNAME, ADMIN_PASSWORD).')

export const tooManyFailedLogins = (retryAfterSeconds: number): GatewayError =>
  new GatewayError(429, 'too_many_failed_logins', request,
  `Too many failed logins from this address. Try again in ${retryAfterSeconds} s.`, null, {
    'retry-after': String(retryAfterSeconds)
  })

export const crossSiteRequest = (): GatewayError => new GatewayError(403, 'cross_site_request', request,
  "Another site's page may not change anything here. Send the request from the gateway's own address.")

export const unknownField = (message: string, field: string): GatewayError =>
  new GatewayError(400, 'unknown_field', request, message, field)

export const invalidField = (message: string, field: string | null): GatewayError =>
  new GatewayError(400, 'invalid_field', request, message, field)

export const invalidCursor = (): GatewayError => new GatewayError(400, 'invalid_cursor', request,
  "'cursor' is not one that this list gave with the same 'sort'. Leave it out to start from the first page.", 'cursor')

export const unknownRoute = (method: string, path: string): GatewayError =>
  new GatewayError(404, 'unknown_route', request,
  `There is no ${method} ${path}. /admin/api/openapi.json describes the routes that there are.`)

export const consoleNotBuilt = (): GatewayError => new GatewayError(404, 'console_not_built', request,
  "The console's files are missing. 'npm run build' makes them; /admin/docs and /admin/api work without.")

export const promptConfigNotFound = (promptType: string): GatewayError =>
  new GatewayError(404, 'prompt_config_not_found', request,
  `There is no prompt config '${promptType}'. It comes with the first call of that type; POST /admin/api/prompt-configs makes it beforehand.`, 'prompt_type')

/** The first few of them are named. */
export const promptConfigsNotFound = (promptTypes: readonly string[]): GatewayError =>
  new GatewayError(404, 'prompt_config_not_found', request,
  `There is no prompt config ${promptTypes.slice(0, 5).map(name => `'${name}'`).join(', ')}${promptTypes.length > 5 ? ` and ${promptTypes.length - 5} more` : ''}. Nothing was changed.`,
  'prompt_types')

export const promptConfigExists = (promptType: string): GatewayError =>
  new GatewayError(409, 'prompt_config_exists', request,
  `The prompt config '${promptType}' exists already. Change it with PATCH /admin/api/prompt-configs/${promptType}.`, 'prompt_type')

export const usageLogNotFound = (id: string): GatewayError => new GatewayError(404, 'usage_log_not_found', request,
  `There is no usage log '${id}'. It may be older than LOG_RETENTION_DAYS, or its prompt type was not active.`, 'id')

export const keyNotFound = (id: string): GatewayError => new GatewayError(404, 'key_not_found', request,
  `There is no gateway key '${id}', or it was revoked. GET /admin/api/keys lists those that are valid.`, 'id')

export const priceNotFound = (model: string): GatewayError => new GatewayError(404, 'price_not_found', request,
  `There is no such price of your own for '${model}'. PUT /admin/api/prices/{model} sets one; the built-in tables apply until then.`, 'model')

export const repricing = (): GatewayError => new GatewayError(409, 'repricing', request,
  'Costs are being computed again already. Wait until that is done.')

export const budgetNotFound = (id: string): GatewayError => new GatewayError(404, 'budget_not_found', request,
  `There is no budget '${id}'. GET /admin/api/budgets lists those there are.`, 'id')

export const tooManyItems = (most: number): GatewayError => new GatewayError(400, 'too_many_items', request,
  `The answer would have more than ${most} items, a group and a bucket each. Ask for a shorter period, a longer 'interval', or with 'limit' for the groups of the greatest cost.`)

export const queryTimeout = (): GatewayError => new GatewayError(503, 'query_timeout', 'api_error',
  'The database took too long for this query. Narrow it, for example with a shorter period.')

export const databaseBusy = (): GatewayError => new GatewayError(503, 'database_busy', 'api_error',
  'Calls were writing to the same rows. Nothing was changed; try again.')

export const databaseUnavailable = (): GatewayError => new GatewayError(503, 'database_unavailable', 'api_error',
  'The database cannot be reached just now. Nothing was changed, unless the connection broke in the middle; look before you try again.')

export const internalError = (): GatewayError => new GatewayError(500, 'internal_error', 'api_error',
  'The gateway failed to answer this. Its log has the reason.')
