import { isRedoable } from '../decoders/content-coding.js'

interface Offer {
  readonly text: string
  readonly name: string
  readonly isExcluded: boolean
}

/**
 * An `Accept-Encoding` (RFC 9110 §12.5.3) without the codings that the gateway cannot decode and encode again;
 * `identity` where nothing is left. Null where the caller excludes that: then no answer can be both read and changed.
 */
export function redoableCodings (acceptEncoding: string): string | null {
  const offers = acceptEncoding.split(',').map(offerOf).filter(({ name }) => name !== '')
  // What is excluded stays excluded, whatever it is.
  const kept = offers.filter(({ name, isExcluded }) => isExcluded || name === 'identity' || isRedoable(name))
  if (kept.some(({ isExcluded }) => !isExcluded)) return kept.map(({ text }) => text).join(',').trim()
  const identity = offers.find(({ name }) => name === 'identity') ?? offers.find(({ name }) => name === '*')
  if (identity?.isExcluded === true) return null
  return [...kept.map(({ text }) => text.trim()), 'identity'].join(', ')
}

function offerOf (text: string): Offer {
  const [name = '', ...parameters] = text.split(';').map(part => part.trim().toLowerCase())
  return { text, name, isExcluded: parameters.some(parameter => /^q\s*=\s*0(?:\.0*)?$/.test(parameter)) }
}
