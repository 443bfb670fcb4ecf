import { JsonMembers } from '../decoders/json-members.js'

/** What a stream reported: usage, model, tier, error. */
export interface StreamFacts {
  /** OpenAI's `usage` object. */
  usage: unknown
  model: string | null
  /** The tier that served the call. */
  serviceTier: string | null
  /** OpenAI's `error` object, from an error event or a failed response; other upstreams may have a string there. */
  error: unknown
}

const MEMBERS: ReadonlySet<string> = new Set([
  'type', 'usage', 'choices', 'error', 'model', 'service_tier', 'code', 'message', 'param'
])
/** A longer value of one of these members is not read. */
const MAX_VALUE_BYTES = 256 * 1024
const FINAL_RESPONSES: ReadonlySet<string> = new Set(['response.completed', 'response.incomplete', 'response.failed'])

/** Scans one event's JSON object, and the `response` in it, as its bytes arrive. */
export function scanEvent (): JsonMembers {
  return new JsonMembers(MEMBERS, MAX_VALUE_BYTES, 'response')
}

/** Collects what the events of a stream say: usage, error, model and tier. */
export class EventReader {
  readonly #facts: StreamFacts = { usage: undefined, model: null, serviceTier: null, error: undefined }
  /** What the first object says; the event that has the usage may name another model, or none. */
  #first: Pick<StreamFacts, 'model' | 'serviceTier'> | null = null

  /** The first object was read: others matter only for usage or an error. */
  get knowsFirst (): boolean { return this.#first !== null }

  facts (): StreamFacts {
    const { usage, model, serviceTier, error } = this.#facts
    const first = this.#first
    return {
      usage, model: model ?? first?.model ?? null, serviceTier: serviceTier ?? first?.serviceTier ?? null, error
    }
  }

  /** Reads an object that is whole. @returns whether it ends the stream */
  read (event: JsonMembers): boolean {
    const source = event.nested?.complete === true ? event.nested : event
    this.#first ??= labelsOf(source)
    const usage = source.get('usage')
    if (usage?.text?.startsWith('{') === true) {
      this.#facts.usage = source.value('usage')
      Object.assign(this.#facts, labelsOf(source))
    }
    const type = event.string('type')
    const error = errorOf(source)
    if (error !== null) this.#facts.error = error
    else if (type === 'error') this.#facts.error = errorEvent(event)
    if (type === 'error' || (type !== null && FINAL_RESPONSES.has(type))) return true
    return (source === event ? error : errorOf(event)) !== null
  }
}

/** The model and tier that an event names. */
function labelsOf (event: JsonMembers): Pick<StreamFacts, 'model' | 'serviceTier'> {
  return { model: event.string('model'), serviceTier: event.string('service_tier') }
}

/** What the official clients throw for. */
function errorOf (event: JsonMembers): unknown {
  const text = event.get('error')?.text
  return text == null || !/^(?:\{|"[^"])/.test(text) ? null : event.value('error') ?? null
}

/** An error event that has its members at the top. */
function errorEvent (event: JsonMembers): Record<string, unknown> {
  const named = ['type', 'code', 'message', 'param'].map(name => [name, event.value(name)] as const)
  return Object.fromEntries(named.filter(([, value]) => value !== undefined))
}
