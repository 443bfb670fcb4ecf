/** Closes what a failed start had opened, and throws the error of the start, whatever the closing throws. */
export async function closeAfter (error: unknown, close: () => Promise<void>): Promise<never> {
  try {
    await close()
  } catch {
    // Most likely it is broken for the same reason, and that is the one to tell.
  }
  throw error
}
