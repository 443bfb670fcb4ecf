import { notifications } from '@mantine/notifications'

/** A change that the gateway did not take: what was shown is as it was, and why. */
export function failed (what: string, error: Error): void {
  notifications.show({ color: 'red', title: what, message: error.message, autoClose: 10_000 })
}

export function done (message: string): void {
  notifications.show({ color: 'teal', message, autoClose: 4000 })
}
