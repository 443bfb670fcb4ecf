/** One line with a value: `name{label="value"} 1`. */
export interface ExposedSample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Family {
  readonly type: string
  readonly help: string
  readonly samples: ExposedSample[]
}

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (-?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|\+Inf|NaN)$/s
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y

/**
 * Reads Prometheus' text format, version 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/), and is
 * stricter than Prometheus: every family has a help and a type and stands in one piece, no series comes twice, counters
 * and histograms are what they have to be.
 *
 * @throws Error for the first thing that is not so
 */
export function parseExposition (text: string): Map<string, Family> {
  const families = new Map<string, Family>()
  const seen = new Set<string>()
  if (!text.endsWith('\n')) throw new Error('the last line does not end')
  let current = ''
  let help: { name: string, text: string } | null = null
  for (const line of text.slice(0, -1).split('\n')) {
    const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? []
    if (keyword === 'HELP') {
      if (families.has(name)) throw new Error(`${name} comes in two pieces`)
      help = { name, text: rest }
    } else if (keyword === 'TYPE') {
      if (help?.name !== name) throw new Error(`${name} has no help`)
      families.set(name, { type: rest, help: help.text, samples: [] })
      current = name
    } else {
      const sample = parseSample(line)
      const family = families.get(current)
      if (family === undefined ||
        !belongs(sample.name, current, family.type)) throw new Error(`${line} stands under ${current}`)
      const key = `${sample.name} ${JSON.stringify(Object.entries(sample.labels).sort())}`
      if (seen.has(key)) throw new Error(`${line} comes twice`)
      seen.add(key)
      family.samples.push(sample)
    }
  }
  for (const [name, family] of families) check(name, family)
  return families
}

function parseSample (line: string): ExposedSample {
  const [, name = '', labelText = '', value = ''] = SAMPLE.exec(line) ?? []
  if (name === '') throw new Error(`'${line}' is no line of the format`)
  const labels: Record<string, string> = {}
  LABEL.lastIndex = 0
  let end = 0
  while (end < labelText.length) {
    const [all, label = '', escaped = ''] = LABEL.exec(labelText) ?? []
    if (all === undefined) throw new Error(`the labels of '${line}' cannot be read`)
    if (label in labels) throw new Error(`'${line}' has ${label} twice`)
    labels[label] = escaped.replace(/\\(.)/g, (_, character: string) => character === 'n' ? '\n' : character)
    end += all.length
  }
  return { name, labels, value: Number(value.replace('Inf', 'Infinity')) }
}

const belongs = (sample: string, family: string, type: string): boolean =>
  type === 'histogram' ? ['_bucket', '_sum', '_count'].some(end => sample === family + end) : sample === family

function check (name: string, { type, samples }: Family): void {
  if (type === 'counter') {
    if (!name.endsWith('_total')) throw new Error(`the counter ${name} does not end in _total`)
    if (samples.some(({ value }) =>
      !(value >= 0 && Number.isFinite(value)))) throw new Error(`the counter ${name} is no sum`)
  } else if (type === 'histogram') {
    for (const series of histograms(name, samples).values()) checkHistogram(name, series)
  } else if (type !== 'gauge') throw new Error(`${name} is a ${type}`)
}

export interface ExposedHistogram {
  readonly buckets: Array<{ readonly le: number, readonly count: number }>
  sum: number | null
  count: number | null
}

/** A family's histograms by their labels, `le` aside: a key's names and values are in the order in which they stand. */
export function histograms (name: string, samples: readonly ExposedSample[]): Map<string, ExposedHistogram> {
  const found = new Map<string, ExposedHistogram>()
  for (const { name: line, labels: { le = '', ...labels }, value } of samples) {
    const key = JSON.stringify(labels)
    const series = found.get(key) ?? { buckets: [], sum: null, count: null }
    found.set(key, series)
    if (line === `${name}_bucket`) series.buckets.push({ le: Number(le.replace('Inf', 'Infinity')), count: value })
    else if (line === `${name}_sum`) series.sum = value
    else series.count = value
  }
  return found
}

function checkHistogram (name: string, { buckets, sum, count }: ExposedHistogram): void {
  if (sum === null || count === null) throw new Error(`${name} has no sum or no count`)
  if (buckets.at(-1)?.le !== Infinity ||
    buckets.at(-1)?.count !== count) throw new Error(`${name} does not count all in +Inf`)
  for (const [i, { le, count }] of buckets.entries()) {
    const before = buckets[i - 1]
    if (Number.isNaN(le) ||
      (before !== undefined && !(le > before.le && count >= before.count))) throw new Error(`${name} is not cumulative`)
  }
}
