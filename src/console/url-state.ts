import { useCallback } from 'react'
import { useSearchParams } from 'wouter'

/**
 * A value that lives in the page's URL, so that a link shows a colleague the same view. Left out while it is the
 * fallback.
 */
export function useUrlValue (name: string, fallback: string): [string, (value: string) => void] {
  const [params, setParams] = useSearchParams()
  const set = useCallback((value: string) => {
    setParams(old => {
      const next = new URLSearchParams(old)
      if (value === fallback || value === '') next.delete(name)
      else next.set(name, value)
      return next
    }, { replace: true })
  }, [name, fallback, setParams])
  return [params.get(name) ?? fallback, set]
}

/** Several values that are changed at once; an empty one is left out. */
export function useUrlValues (): [URLSearchParams, (changes: Record<string, string | null>) => void] {
  const [params, setParams] = useSearchParams()
  const change = useCallback((changes: Record<string, string | null>) => {
    setParams(old => {
      const next = new URLSearchParams(old)
      for (const [name, value] of Object.entries(changes)) {
        if (value === null || value === '') next.delete(name)
        else next.set(name, value)
      }
      return next
    }, { replace: true })
  }, [setParams])
  return [params, change]
}
