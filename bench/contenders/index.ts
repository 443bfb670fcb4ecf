import type { Contender, StartContender, Surroundings } from './contender.js'
import { startNginx } from './nginx.js'
import { startBare, startHttpProxy, startPortkey } from './passers.js'
import { startEmbedded, startOnPostgres } from './promptmeter.js'

export const CONTENDERS = {
  bare: startBare,
  postgres: startOnPostgres,
  embedded: startEmbedded,
  httpProxy: startHttpProxy,
  nginx: startNginx,
  portkey: startPortkey
} satisfies Record<string, StartContender>

export type ContenderName = keyof typeof CONTENDERS

/** Starts the contenders one after the other, lets the work be done, and stops them. */
export async function withContenders<T> (
  surroundings: Surroundings,
  names: readonly ContenderName[],
  options: { readonly watchLoop: boolean },
  work: (contenders: Map<ContenderName, Contender>, missing: Map<ContenderName, string>) => Promise<T>
): Promise<T> {
  const contenders = new Map<ContenderName, Contender>()
  const missing = new Map<ContenderName, string>()
  try {
    for (const name of names) {
      const started = await CONTENDERS[name](surroundings, options)
      if ('missing' in started) missing.set(name, started.missing)
      else contenders.set(name, started)
    }
    return await work(contenders, missing)
  } finally {
    for (const contender of contenders.values()) await contender.stop()
  }
}
