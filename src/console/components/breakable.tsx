import { Fragment } from 'react'
import { useCompact, useIsPhone } from '../use-is-phone.js'

/**
 * A name that breaks where its parts meet (`generate_image_` / `metadata`) rather than in the middle of a word.
 * `isCut`: on a wide screen it stays in its line and is cut where that ends, as lists have it, `compact` says also
 * below 1440 px; browsers break at a `wbr` even there.
 */
export function Breakable ({ text, isCut = false }: { text: string, isCut?: boolean | 'compact' }) {
  const [isPhone, isCompact] = [useIsPhone(), useCompact()]
  if (isCut === 'compact' ? !isPhone : isCut && !isCompact) return <>{text}</>
  return (
    <>{text.split(/(?<=[_\-./:])(?![_\-./:])/)
      .map((part, i) => <Fragment key={i}>{i > 0 && <wbr />}{part}</Fragment>)}
    </>
  )
}
