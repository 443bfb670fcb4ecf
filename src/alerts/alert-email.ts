import { createTransport } from 'nodemailer'
import { deadline, type Deliver, type Outcome } from './alert-attempt.js'
import { alertMessage } from './alert-message.js'
import type { Claim } from './alert-outbox.js'

const TIMEOUT_MS = 30_000

export interface EmailOptions {
  /** `smtp://user:password@host:587`, with what nodemailer takes in its query besides. */
  readonly smtpUrl: string
  /** An address, or `name <address>`. */
  readonly from: string
  readonly timeoutMs?: number
}

/** Sends alerts as plain-text e-mail. An attempt that takes too long counts as failed, though it may still arrive. */
export function emailDelivery ({ smtpUrl, from, timeoutMs = TIMEOUT_MS }: EmailOptions): Deliver {
  const transport = createTransport({
    url: smtpUrl,
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    dnsTimeout: timeoutMs,
    disableFileAccess: true,
    disableUrlAccess: true
  })
  return async (claim, closing) => {
    const { signal, reason, clear } = deadline(timeoutMs, closing)
    const cut = new Promise<Outcome>(resolve => {
      signal.addEventListener('abort', () => resolve({ statusCode: null, error: reason() }))
    })
    const sent = transport.sendMail(mailOf(claim, from))
      .then(({ response }): Outcome => ({ statusCode: replyCode(response), error: null }), describe)
    return await Promise.race([sent, cut]).finally(clear)
  }
}

function mailOf (claim: Claim, from: string) {
  const { subject, text } = alertMessage(claim)
  const domain = /@([^@>\s]+)>?$/.exec(from)?.[1] ?? 'promptmeter.invalid'
  return {
    from,
    // As an object it is one recipient, whatever stands in it.
    to: { name: '', address: claim.target },
    subject,
    text: `${text}\n\nBudget ${claim.budgetId}, alert ${claim.alertId}\n`,
    // The same at every attempt, so that a second copy is known for one.
    messageId: `<${claim.id}@${domain}>`,
    // RFC 3834: no answers from out-of-office robots.
    headers: { 'auto-submitted': 'auto-generated' }
  }
}

const replyCode = (response: string): number | null => /^[2-5]\d\d/.test(response) ? Number(response.slice(0, 3)) : null

/** What nodemailer says of it: https://nodemailer.com/errors */
interface MailError extends Error {
  readonly code?: string
  readonly responseCode?: number
}

function describe (error: MailError): Outcome {
  const { code, responseCode, message } = error
  const statusCode = responseCode ?? null
  // What a server says while one logs in may repeat what it was told, password and all.
  if (code === 'EAUTH') return { statusCode, error: 'the SMTP server rejected the login of SMTP_URL' }
  const isRejected = (code === 'EENVELOPE' || code === 'EMESSAGE') && responseCode !== undefined && responseCode >= 500
  return { statusCode, error: message.replace(/\s+/g, ' ').slice(0, 500), isFinal: isRejected }
}
