import { periodOf } from '../lib/budget-period.js'
import type { Alert } from './alert-outbox.js'

/** The text of an alert, for an e-mail and for `text` of a webhook. */
export interface AlertMessage {
  readonly subject: string
  /** Plain sentences. */
  readonly text: string
}

/** Which budget, how much, since when, and what happens now. */
export function alertMessage (alert: Alert): AlertMessage {
  const name = `Budget "${alert.budgetName}"`
  const whose = alert.promptType === null ? 'by all traffic' : `by prompt type ${alert.promptType}`
  const amounts = `${dollars(alert.spentUsd, alert.limitUsd)} of ${dollars(alert.limitUsd, alert.limitUsd)}`
  return {
    subject: `${name} has reached ${alert.threshold} %`,
    text: `${name} has reached ${alert.threshold} %: ${amounts} spent ${whose} ${since(alert)}. ${consequence(alert)}`
  }
}

/**
 * The body of the webhook, the same at every attempt: Standard Webhooks' `type`, `timestamp`, `data`, and Slack's
 * `text`.
 */
export function webhookBody (alert: Alert): string {
  return JSON.stringify({
    type: 'budget.threshold_reached',
    timestamp: alert.createdAt,
    text: slackEscaped(alertMessage(alert).text),
    data: {
      alert_id: alert.alertId,
      budget_id: alert.budgetId,
      budget_name: alert.budgetName,
      prompt_type: alert.promptType,
      period: alert.period,
      period_start: alert.periodStart,
      period_end: periodEnd(alert),
      threshold: alert.threshold,
      action: alert.action,
      limit_usd: Number(alert.limitUsd),
      spent_usd: Number(alert.spentUsd),
      blocked: isBlocking(alert)
    }
  })
}

const isBlocking = ({ action, threshold }: Alert): boolean => action === 'block' && threshold >= 100

function periodEnd ({ period, periodStart }: Alert): string | null {
  const { endMs } = periodOf(period, Date.parse(periodStart))
  return endMs === null ? null : new Date(endMs).toISOString()
}

function since ({ period, periodStart }: Alert): string {
  return period === 'total' ? 'in total' : `this ${period} (since ${periodStart.slice(0, 10)}, UTC)`
}

function consequence (alert: Alert): string {
  if (alert.action === 'alert') return 'Calls continue: this budget only alerts.'
  if (!isBlocking(alert)) return 'Calls continue; from 100 % they are rejected.'
  const calls = alert.promptType === null ? 'All calls' : 'Calls of this prompt type'
  const end = periodEnd(alert)
  const until = end === null ? '' : `${end.slice(0, 10)} 00:00 UTC or until `
  return `${calls} are rejected now, until ${until}the limit is raised or an operator lifts the block.`
}

/** Whole cents, or for a small limit as many decimals as there are. */
function dollars (amount: string, limit: string): string {
  const decimals = Number(limit) < 1 ? 12 : 2
  return new Intl.NumberFormat('en-US', {
    style: 'currency', currency: 'USD', minimumFractionDigits: 2, maximumFractionDigits: decimals
  }).format(Number(amount))
}

/** A name like `<!channel>` is no command: https://docs.slack.dev/messaging/formatting-message-text#escaping */
const slackEscaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
