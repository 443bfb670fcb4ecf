import type { ReactNode } from 'react'

/** Holds what may be wider than the screen: it scrolls by itself, with the keyboard too, and the page stays. */
export function ScrollRegion ({ label, children }: { label: string, children: ReactNode }) {
  return <div className='scroll' tabIndex={0} role='region' aria-label={label}>{children}</div>
}
