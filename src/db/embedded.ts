import type { Log } from '../log.js'
import type { Database } from './client.js'

/** Opens the embedded database under `dataDir`. */
export const openEmbedded = async (dataDir: string, log: Log): Promise<Database> => {
  log.error({ dataDir }, 'The embedded database comes with the next commits')
  return await Promise.reject(new Error('The embedded database comes with the next commits; set DATABASE_URL.'))
}
