import { useMediaQuery } from '@mantine/hooks'

/** Whether the screen is a phone's: below Mantine's `sm`, where the pages' menu hides too. */
export const useNarrow = (): boolean => !useMediaQuery('(min-width: 48em)', true, { getInitialValueInEffect: false })
