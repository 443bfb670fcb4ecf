import { Alert, Button, Stack, Text } from '@mantine/core'
import { Component, type ReactNode } from 'react'

interface State { readonly error: Error | null }

/**
 * Says that a page broke, or that its script could not be loaded (a newer console is served), instead of showing
 * nothing.
 */
export class ErrorBoundary extends Component<{ readonly children: ReactNode }, State> {
  override state: State = { error: null }

  static getDerivedStateFromError (error: Error): State {
    return { error }
  }

  override render (): ReactNode {
    const { error } = this.state
    if (error === null) return this.props.children
    return (
      <Alert color='red' variant='light' title='This page cannot be shown' role='alert'>
        <Stack gap='xs' align='flex-start'>
          <Text size='sm'>{error.message}</Text>
          <Button size='xs' variant='default' onClick={() => { window.location.reload() }}>Load it again</Button>
        </Stack>
      </Alert>
    )
  }
}
