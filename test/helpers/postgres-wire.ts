/** A message of PostgreSQL's protocol: https://www.postgresql.org/docs/current/protocol-message-formats.html */
interface WireMessage {
  /** Its first byte as a character; '' for what a client sends first, which has none. */
  readonly type: string
  readonly body: Buffer
}

/**
 * Gathers chunks of one direction of a connection and answers with the messages that are complete. TLS is not spoken
 * here.
 */
function messageReader (side: 'client' | 'server'): (chunk: Buffer) => WireMessage[] {
  let rest = Buffer.alloc(0)
  let headLength = side === 'client' ? 0 : 1
  return chunk => {
    rest = Buffer.concat([rest, chunk])
    const messages: WireMessage[] = []
    for (;;) {
      if (rest.length < headLength + 4) return messages
      const end = headLength + rest.readUInt32BE(headLength)
      if (rest.length < end) return messages
      messages.push({ type: rest.toString('latin1', 0, headLength), body: rest.subarray(headLength + 4, end) })
      rest = rest.subarray(end)
      headLength = 1
    }
  }
}

/** Follows both directions of one connection, and knows which statement is being run. */
export interface StatementFollower {
  readonly asked: (chunk: Buffer) => void
  /** The statements whose answers end in this chunk. */
  readonly answered: (chunk: Buffer) => string[]
}

/** A prepared statement is run by its name alone, so the text of each is kept. */
export function followStatements (): StatementFollower {
  const asks = messageReader('client')
  const answers = messageReader('server')
  const prepared = new Map<string, string>()
  let running: string | null = null
  return {
    asked: chunk => {
      for (const { type, body } of asks(chunk)) {
        const [first = '', second = ''] = body.toString('latin1').split('\0', 2)
        if (type === 'P') prepared.set(first, second)
        if (type === 'Q') running = first
        if (type === 'B') running = prepared.get(second) ?? null
      }
    },
    answered: chunk => {
      const ended: string[] = []
      for (const { type } of answers(chunk)) {
        if (type !== readyForQuery || running === null) continue
        ended.push(running)
        running = null
      }
      return ended
    }
  }
}

const readyForQuery = 'Z'
