import { useMediaQuery } from '@mantine/hooks'

/** Whether the screen is a phone's: below Mantine's `sm`, where the pages' menu hides too. */
export const useIsPhone = (): boolean => !useMediaQuery('(min-width: 48em)', true, { getInitialValueInEffect: false })

/** Whether a table has no room for all of its columns: below 1440 px, of which the pages' menu takes its part. */
export const useCompact = (): boolean => !useMediaQuery('(min-width: 90em)', true, { getInitialValueInEffect: false })
