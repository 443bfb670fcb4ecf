import type { GatewayError } from '../errors.js'
import { isPublicAddress, literalAddress } from '../alerts/public-address.js'
import { invalidField } from './errors.js'

/** How this gateway can deliver alerts. */
export interface AlertChannels {
  /** `SMTP_URL` is set. */
  readonly email: boolean
  /** `WEBHOOK_ALLOW_PRIVATE` */
  readonly privateWebhooks: boolean
}

/** RFC 5321's everyday addresses: no quotes, comments or address literals, so that nothing can be hidden in one. */
const address =
  /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*$/

/**
 * Checks that alerts can be sent to these targets. The address of a host name is checked when an alert is sent.
 * @throws GatewayError 400 for an invalid address or URL, or where a setting forbids it or is missing; the message
 *   names it
 */
export function checkAlertTargets (
  channels: AlertChannels, { webhook_url: url, email }: { webhook_url?: string | null, email?: string | null }
): void {
  if (url != null) checkWebhookUrl(channels, url)
  if (email == null) return
  if (!address.test(email)) {
    throw invalidField(
      "The field 'email' must be one e-mail address, such as ops@example.com.", 'email'
    )
  }
  if (!channels.email) {
    throw invalidField(
      "The field 'email' needs a gateway that can send e-mail: set SMTP_URL and ALERT_EMAIL_FROM.", 'email'
    )
  }
}

function checkWebhookUrl (channels: AlertChannels, text: string): void {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || !/^https?:$/.test(url.protocol)) throw invalidUrl('must be an http or https URL')
  if (url.username !== '' || url.password !== '') throw invalidUrl('must be a URL without user and password')
  const literal = literalAddress(url.hostname)
  const isPrivate = literal === null ? /^(.+\.)?localhost\.?$/.test(url.hostname) : !isPublicAddress(literal)
  if (isPrivate && !channels.privateWebhooks) {
    throw invalidUrl(
      'leads to a private address: set WEBHOOK_ALLOW_PRIVATE=true to allow that'
    )
  }
}

const invalidUrl = (rule: string): GatewayError => invalidField(`The field 'webhook_url' ${rule}.`, 'webhook_url')
