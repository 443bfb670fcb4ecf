import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import type { Log } from '../log.js'
import type { Database } from './database.js'
import { closeAfter } from './close-after.js'
import { startEngine } from './embedded-engine.js'
import { createFolder } from './embedded-template.js'
import { scheduleVacuum } from './embedded-vacuum.js'
import { migrate } from './migrate.js'
import { sharedPing } from './ping.js'
import { openPool } from './pool.js'

/** Opens the embedded database in `dataDir/db`, which is created if needed. Both planes share its one connection. */
export async function openEmbedded (dataDir: string, log: Log, onClosed: () => Promise<void>): Promise<Database> {
  const folder = join(dataDir, 'db')
  if (!existsSync(folder)) await createFolder(folder)
  const listeners = new Map<string, (() => void)[]>()
  const listenTo = async (channel: string): Promise<void> => {
    await pool.execute(sql`listen ${sql.identifier(channel)}`)
    for (const listener of listeners.get(channel) ?? []) listener()
  }
  const engine = await startEngine(folder, {
    onNotify: channel => { for (const listener of listeners.get(channel) ?? []) listener() },
    onDisconnect: () => {
      log.error({ folder }, 'The embedded database stopped; starting it again')
      for (const channel of listeners.keys()) {
        listenTo(channel)
          .catch((error: unknown) => log.error({ err: error }, 'The embedded database did not start again'))
      }
    }
  })
  const pool = openPool(engine.client)
  const vacuum = scheduleVacuum(pool, engine.sentBytes, log)
  try {
    await migrate(pool)
  } catch (error) {
    return await closeAfter(error, close)
  }
  async function close (): Promise<void> {
    await vacuum.close()
    await engine.close()
  }
  const ping = sharedPing(() => pool)
  return {
    kind: 'embedded',
    recording: pool,
    operator: pool,
    listen: async (channel, onNotify) => {
      listeners.set(channel, [...listeners.get(channel) ?? [], onNotify])
      await listenTo(channel)
    },
    ping,
    pingOperator: ping,
    // Its thread is this process's own: if it does not answer, it is at work.
    reconnect: () => {},
    close: async () => {
      await close()
      await onClosed()
    }
  }
}
