import { isRedoable } from '../decoders/content-coding.js'

interface Offer {
  readonly text: string
  readonly name: string
  readonly isRefused: boolean
}

/**
 * An `Accept-Encoding` (RFC 9110 §12.5.3) without the codings that cannot be undone and done again here; `identity`, where it
 * was offered nothing else. Null where the caller refuses that: then no answer can be both read and changed.
 */
export function redoableCodings (acceptEncoding: string): string | null {
  const offers = acceptEncoding.split(',').map(offerOf).filter(({ name }) => name !== '')
  // What is refused stays refused, whatever it is.
  const kept = offers.filter(({ name, isRefused }) => isRefused || name === 'identity' || isRedoable(name))
  if (kept.some(({ isRefused }) => !isRefused)) return kept.map(({ text }) => text).join(',').trim()
  const identity = offers.find(({ name }) => name === 'identity') ?? offers.find(({ name }) => name === '*')
  if (identity?.isRefused === true) return null
  return [...kept.map(({ text }) => text.trim()), 'identity'].join(', ')
}

function offerOf (text: string): Offer {
  const [name = '', ...parameters] = text.split(';').map(part => part.trim().toLowerCase())
  return { text, name, isRefused: parameters.some(parameter => /^q\s*=\s*0(?:\.0*)?$/.test(parameter)) }
}
