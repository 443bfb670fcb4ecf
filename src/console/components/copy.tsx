import { Button } from '@mantine/core'
import { useClipboard } from '@mantine/hooks'
import { useEffect } from 'react'
import { failed } from '../notify.js'

/** Copies a text, and says so; or says why the browser does not let it. */
export function Copy ({ value, label }: { value: string, label: string }) {
  const { copy, copied, error } = useClipboard()
  // https://w3c.github.io/clipboard-apis/: pages have a clipboard only over a secure connection.
  useEffect(() => {
    if (error !== null) {
      failed(
        'Not copied', new Error(
          'The browser lets a page copy only over HTTPS or on localhost. Select the text instead.'
        )
      )
    }
  }, [error])
  return <Button size='xs' variant='default' onClick={() => { copy(value) }}>{copied ? 'Copied' : label}</Button>
}
