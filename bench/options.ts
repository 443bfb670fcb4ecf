import { parseArgs } from 'node:util'

/** What the command line asks for. */
export interface Options {
  /** Names of parts; empty: all of them. */
  readonly parts: readonly string[]
  /** How long a load lasts. */
  readonly seconds: number
  /** How often each is measured, after a warm-up. */
  readonly rounds: number
  /** Rows of the usage log that is not empty. */
  readonly rows: number
  /** Calls over which memory is watched. */
  readonly calls: number
}

export function parseOptions (args: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      seconds: { type: 'string', default: '3' },
      rounds: { type: 'string', default: '5' },
      rows: { type: 'string', default: '10000000' },
      calls: { type: 'string', default: '200000' }
    }
  })
  const number = (name: keyof typeof values): number => {
    const value = Number(values[name].replaceAll('_', ''))
    if (!(value > 0)) throw new Error(`--${name} is '${values[name]}', but must be a number above 0`)
    return value
  }
  return {
    parts: positionals,
    seconds: number('seconds'),
    rounds: number('rounds'),
    rows: number('rows'),
    calls: number('calls')
  }
}
