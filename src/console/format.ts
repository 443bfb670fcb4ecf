/** Numbers, money and times as people read them. */

const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 })
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })

/** 1,234 below a hundred thousand, 1.2M above. */
export const count = (value: number): string => Math.abs(value) < 100_000 ? whole.format(value) : compact.format(value)

/** `1 call`, `1,234 calls` */
export const several = (value: number, what: string): string => `${count(value)} ${what}${value === 1 ? '' : 's'}`

/**
 * USD with as many digits as the amount needs, below a dollar two that count: $12,400, $3.52, $0.042, $0.0060,
 * $0.00021.
 */
export function money (usd: number | null | undefined): string {
  if (usd === null || usd === undefined) return '–'
  if (usd === 0) return '$0'
  const size = Math.abs(usd)
  const digits = size >= 1000 ? 0 : size >= 1 ? 2 : Math.min(12, 1 - Math.floor(Math.log10(size)))
  const text = new Intl.NumberFormat('en', {
    minimumFractionDigits: digits, maximumFractionDigits: digits
  }).format(size)
  return `${usd < 0 ? '−' : ''}$${text}`
}

/** A change in USD, with its sign: +$3.52, −$0.042. */
export const signedMoney = (usd: number): string => usd > 0 ? `+${money(usd)}` : money(usd)

/** All twelve decimals that the books hold: for a tooltip. */
export const exactMoney = (usd: number): string => `$${usd.toFixed(12).replace(/(?<!0)0+$/, '').replace(/\.$/, '')}`

export function duration (ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return '–'
  if (Math.round(ms) < 1000) return `${Math.round(ms)} ms`
  const seconds = Math.round(ms / 1000)
  return ms < 59_950 ? `${(ms / 1000).toFixed(1)} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}

export function bytes (size: number): string {
  if (size < 1024) return `${size} B`
  return size < 1024 * 1024 ? `${(size / 1024).toFixed(1)} kB` : `${(size / 1024 / 1024).toFixed(1)} MB`
}

export const percent = (share: number): string => `${(share * 100).toFixed(Math.abs(share) < 0.1 ? 1 : 0)} %`

/** By how much it changed against before; null where there is nothing to compare with. */
export const change = (now: number, before: number): number | null => before === 0 ? null : now / before - 1

const timeText = (instant: string, timeZone?: string): string => {
  const date = new Date(instant)
  const zone = timeZone === undefined ? {} : { timeZone }
  const yearOf = (date: Date): string => date.toLocaleString('en-GB', { ...zone, year: 'numeric' })
  const year = yearOf(date) === yearOf(new Date()) ? {} : { year: 'numeric' as const }
  return date.toLocaleString('en-GB', {
    ...zone, ...year, month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit'
  })
}

/**
 * In UTC, as all times in the console, for a place that says so: `23 Nov, 04:05:06`, with the year where it is another.
 */
export const bareTime = (instant: string): string => timeText(instant, 'UTC')

/** `23 Nov, 04:05:06 UTC` */
export const utcTime = (instant: string): string => `${bareTime(instant)} UTC`

/** The hour that begins then, of something that is known by the hour: `23 Nov, 04:00 to 05:00 UTC` */
export function utcHour (instant: string): string {
  const to = new Date(Date.parse(instant) + 3_600_000).toISOString().slice(11, 16)
  return `${bareTime(instant).replace(/:00$/, '')} to ${to} UTC`
}

/** What a time's tooltip says: the same where the viewer is. */
export const viewersTime = (
  instant: string
): string => `${timeText(instant)} in ${Intl.DateTimeFormat().resolvedOptions().timeZone}`

/** `3 minutes ago` */
export function ago (instant: string, nowMs = Date.now()): string {
  const seconds = Math.round((Date.parse(instant) - nowMs) / 1000)
  const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' })
  for (const [unit, size] of [['day', 86_400], ['hour', 3600], ['minute', 60]] as const) {
    if (Math.abs(seconds) >= size) return relative.format(Math.round(seconds / size), unit)
  }
  return relative.format(seconds, 'second')
}
