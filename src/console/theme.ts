import { type CSSVariablesResolver, createTheme } from '@mantine/core'

/** Calm and dense: small controls, tight spacing, one accent. */
export const theme = createTheme({
  primaryColor: 'cyan',
  primaryShade: 9,
  autoContrast: true,
  defaultRadius: 'sm',
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif',
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, Menlo, Consolas, monospace',
  headings: { sizes: { h1: { fontSize: '1.375rem' }, h2: { fontSize: '1.0625rem' }, h3: { fontSize: '0.9375rem' } } },
  respectReducedMotion: true,
  components: {
    // To hold the page still behind a dialogue takes a style element without a nonce, which the page's policy rejects.
    Modal: { defaultProps: { lockScroll: false } },
    Drawer: { defaultProps: { lockScroll: false } },
    // The page has one banner: its own.
    ModalHeader: { defaultProps: { component: 'div' } },
    DrawerHeader: { defaultProps: { component: 'div' } }
  }
})

/** What is filled with orange, under white text: on Mantine's darkest orange that has 4.3 : 1. */
const FILLED_ORANGE = { '--mantine-color-orange-filled': '#b83a06', '--mantine-color-orange-filled-hover': '#a33305' }

/** Mantine's quieter texts and its orange, with the contrast that WCAG 2.2 asks for (4.5 : 1). */
export const cssVariablesResolver: CSSVariablesResolver = ({ colors }) => ({
  variables: {},
  light: {
    ...FILLED_ORANGE,
    '--mantine-color-dimmed': colors.gray[7],
    '--mantine-color-placeholder': colors.gray[7],
    '--mantine-color-teal-light-color': '#05573e',
    '--mantine-color-orange-light-color': '#8f2f00',
    '--mantine-color-red-light-color': '#9b1c1c',
    '--mantine-color-gray-light-color': colors.gray[8],
    '--mantine-color-cyan-light-color': '#074a57'
  },
  dark: {
    ...FILLED_ORANGE,
    '--mantine-color-dimmed': colors.dark[1],
    '--mantine-color-placeholder': colors.dark[1],
    '--mantine-color-teal-light-color': colors.teal[2],
    '--mantine-color-orange-light-color': colors.orange[2],
    '--mantine-color-red-light-color': colors.red[2],
    '--mantine-color-red-filled': colors.red[9],
    '--mantine-color-gray-light-color': colors.gray[2],
    '--mantine-color-cyan-light-color': colors.cyan[2]
  }
})
