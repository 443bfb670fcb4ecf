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
  "A page of another site is not allowed to change anything here. Send the request from the gateway's own address.")

export const unknownField = (message: string, field: string): GatewayError =>
  new GatewayError(400, 'unknown_field', request, message, field)

export const invalidField = (message: string, field: string | null): GatewayError =>
  new GatewayError(400, 'invalid_field', request, message, field)

export const invalidCursor = (): GatewayError => new GatewayError(400, 'invalid_cursor', request,
  "'cursor' does not come from this list with the same 'sort'. Omit it to start from the first page.", 'cursor')

export const unknownRoute = (method: string, path: string): GatewayError =>
  new GatewayError(404, 'unknown_route', request,
  `There is no route ${method} ${path}. See /admin/api/openapi.json for all routes.`)

export const consoleNotBuilt = (): GatewayError => new GatewayError(404, 'console_not_built', request,
  "The console's files are missing. Run 'npm run build' to create them; /admin/docs and /admin/api work without them.")

export const promptConfigNotFound = (promptType: string): GatewayError =>
  new GatewayError(404, 'prompt_config_not_found', request,
  `There is no prompt config '${promptType}'. The first call of that type creates it, or POST /admin/api/prompt-configs.`, 'prompt_type')

/** Names at most the first five of them. */
export const promptConfigsNotFound = (promptTypes: readonly string[]): GatewayError =>
  new GatewayError(404, 'prompt_config_not_found', request,
  `There is no prompt config ${promptTypes.slice(0, 5).map(name => `'${name}'`).join(', ')}${promptTypes.length > 5 ? ` and ${promptTypes.length - 5} more` : ''}. Nothing was changed.`,
  'prompt_types')

export const promptConfigExists = (promptType: string): GatewayError =>
  new GatewayError(409, 'prompt_config_exists', request,
  `The prompt config '${promptType}' already exists. Change it with PATCH /admin/api/prompt-configs/${promptType}.`, 'prompt_type')

export const usageLogNotFound = (id: string): GatewayError => new GatewayError(404, 'usage_log_not_found', request,
  `There is no usage log '${id}'. It may be older than LOG_RETENTION_DAYS, or its prompt type was not active.`, 'id')

export const keyNotFound = (id: string): GatewayError => new GatewayError(404, 'key_not_found', request,
  `There is no gateway key '${id}', or it was revoked. GET /admin/api/keys lists the valid ones.`, 'id')

export const priceNotFound = (model: string): GatewayError => new GatewayError(404, 'price_not_found', request,
  `You have set no such price for '${model}'. Set one with PUT /admin/api/prices/{model}; until then the built-in tables apply.`, 'model')

export const repricing = (): GatewayError => new GatewayError(409, 'repricing', request,
  'Another repricing is running. Wait until it has finished, then try again.')

export const budgetNotFound = (id: string): GatewayError => new GatewayError(404, 'budget_not_found', request,
  `There is no budget '${id}'. GET /admin/api/budgets lists all budgets.`, 'id')

export const tooManyItems = (most: number): GatewayError => new GatewayError(400, 'too_many_items', request,
  `The answer would have more than ${most} items, one for each group and bucket. Ask for a shorter period or a longer 'interval', or set 'limit' to get only the most expensive groups.`)

export const queryTimeout = (): GatewayError => new GatewayError(503, 'query_timeout', 'api_error',
  'The database took too long for this query. Narrow it, for example to a shorter period.')

export const databaseBusy = (): GatewayError => new GatewayError(503, 'database_busy', 'api_error',
  'Calls were writing to the same rows. Nothing was changed. Try again.')

export const databaseUnavailable = (): GatewayError => new GatewayError(503, 'database_unavailable', 'api_error',
  'The database is unavailable. Nothing was changed, unless the connection broke during the change. Check before you try again.')

export const internalError = (): GatewayError => new GatewayError(500, 'internal_error', 'api_error',
  'The gateway failed to answer this request. Its log contains the reason.')
