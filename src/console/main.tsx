import '@mantine/core/styles.css'
import '@mantine/notifications/styles.css'
import 'uplot/dist/uPlot.min.css'
import './console.css'
import { MantineProvider } from '@mantine/core'
import { Notifications } from '@mantine/notifications'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { Router } from 'wouter'
import { ApiError } from './api/client.js'
import { App } from './app.js'
import { cssVariablesResolver, theme } from './theme.js'

const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5000,
      // An answer that says what is wrong says it again.
      retry: (failures, error) =>
        failures < 2 && !(error instanceof ApiError && error.status >= 400 && error.status < 500)
    }
  }
})

const nonce = document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content ?? ''
const root = document.getElementById('root')
if (root === null) throw new Error('index.html has no #root')

createRoot(root).render(
  <StrictMode>
    <MantineProvider
      theme={theme} cssVariablesResolver={cssVariablesResolver} defaultColorScheme='auto' getStyleNonce={() => nonce}
    >
      <QueryClientProvider client={queryClient}>
        <Notifications position='bottom-right' />
        <Router base='/admin'>
          <App />
        </Router>
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>
)
