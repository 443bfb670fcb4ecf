/** Closes what a start had opened before it failed, and throws the error that it failed with, come what may. */
export async function closeAfter (error: unknown, close: () => Promise<void>): Promise<never> {
  try {
    await close()
  } catch {
    // Most likely it is broken for the same reason, and that is the one to tell.
  }
  throw error
}
