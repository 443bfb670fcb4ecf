import {
  ActionIcon, AppShell, Burger, Group, NavLink, ScrollArea, Text, useComputedColorScheme, useMantineColorScheme
} from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import {
  IconBell, IconBook2, IconCoin, IconGauge, IconHistory, IconKey, IconList, IconMoon, IconSettings, IconSun, IconTags
} from '@tabler/icons-react'
import { type ComponentType, Suspense, lazy } from 'react'
import { Link, Redirect, Route, Switch, useLocation } from 'wouter'
import { ErrorBoundary } from './components/error-boundary.js'
import { Health } from './components/health.js'
import { Page } from './components/page.js'
import { Loading } from './components/states.js'

interface Place {
  readonly path: string
  readonly label: string
  readonly icon: ComponentType<{ size?: number, stroke?: number }>
  readonly page: ComponentType
}

const places: readonly Place[] = [
  { path: '/overview', label: 'Overview', icon: IconGauge, page: lazy(() => import('./pages/overview.js')) },
  { path: '/prompt-types', label: 'Prompt types', icon: IconTags, page: lazy(() => import('./pages/prompt-types.js')) },
  { path: '/usage-log', label: 'Usage log', icon: IconList, page: lazy(() => import('./pages/usage-log.js')) },
  { path: '/budgets', label: 'Budgets and alerts', icon: IconBell, page: lazy(() => import('./pages/budgets.js')) },
  { path: '/keys', label: 'Keys', icon: IconKey, page: lazy(() => import('./pages/keys.js')) },
  { path: '/prices', label: 'Prices', icon: IconCoin, page: lazy(() => import('./pages/prices.js')) },
  { path: '/settings', label: 'Settings', icon: IconSettings, page: lazy(() => import('./pages/settings.js')) },
  { path: '/audit-log', label: 'Audit log', icon: IconHistory, page: lazy(() => import('./pages/audit-log.js')) }
]
const PromptType = lazy(() => import('./pages/prompt-type.js'))

/** The frame around every page: where to go, how the gateway is. */
export function App () {
  const [opened, { toggle, close }] = useDisclosure(false)
  const [location] = useLocation()
  return (
    <AppShell
      header={{ height: 48 }} navbar={{ width: 208, breakpoint: 'sm', collapsed: { mobile: !opened } }} padding='md'
    >
      <AppShell.Header>
        <a className='skip' href='#main'>Skip to the content</a>
        <Group h='100%' px='md' justify='space-between' wrap='nowrap'>
          <Group gap='xs' wrap='nowrap'>
            <Burger opened={opened} onClick={toggle} hiddenFrom='sm' size='sm' aria-label='Menu' />
            <img src='/admin/favicon.svg' alt='' width={22} height={22} />
            <Text fw={600}>promptmeter</Text>
          </Group>
          <Group gap='sm' wrap='nowrap'><Health /><ColorSchemeToggle /></Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p='xs' component='nav' aria-label='Pages'>
        <AppShell.Section grow component={ScrollArea}>
          {places.map(place => <PlaceLink key={place.path} place={place} onClick={close} />)}
        </AppShell.Section>
        <AppShell.Section>
          <NavLink component='a' href='/admin/docs' label='API' leftSection={<IconBook2 size={16} stroke={1.5} />} />
        </AppShell.Section>
      </AppShell.Navbar>
      <AppShell.Main id='main' tabIndex={-1}>
        <ErrorBoundary key={location}>
          <Suspense fallback={<Loading what='the page' />}>
            <Switch>
              <Route path='/'><Redirect to='/overview' replace /></Route>
              {places.map(({ path, page }) => <Route key={path} path={path} component={page} />)}
              <Route path='/prompt-types/:promptType' component={PromptType} />
              <Route><Page title='There is no such page'><Link href='/overview'>To the overview</Link></Page></Route>
            </Switch>
          </Suspense>
        </ErrorBoundary>
      </AppShell.Main>
    </AppShell>
  )
}

function PlaceLink ({ place: { path, label, icon: Icon }, onClick }: { place: Place, onClick: () => void }) {
  const [location] = useLocation()
  const active = location === path || location.startsWith(`${path}/`)
  return (
    <NavLink
      component={Link} href={path} label={label} active={active} onClick={onClick}
      leftSection={<Icon size={16} stroke={1.5} />} {...(active ? { 'aria-current': 'page' as const } : {})}
    />
  )
}

function ColorSchemeToggle () {
  const { setColorScheme } = useMantineColorScheme()
  const dark = useComputedColorScheme('light') === 'dark'
  return (
    <ActionIcon
      variant='subtle' color='gray' aria-label={dark ? 'Light colours' : 'Dark colours'}
      onClick={() => { setColorScheme(dark ? 'light' : 'dark') }}
    >
      {dark ? <IconSun size={18} stroke={1.5} /> : <IconMoon size={18} stroke={1.5} />}
    </ActionIcon>
  )
}
