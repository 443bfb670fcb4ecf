import { Paper, Stack, Switch, Text, Title } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from 'wouter'
import { type Schema, api, bodyOf } from '../api/client.js'
import { Page } from '../components/page.js'
import { Loaded } from '../components/states.js'
import { failed } from '../notify.js'

type Settings = Schema['Settings']
const SETTINGS = ['settings']

/** What a new prompt type starts with. */
export default function SettingsPage () {
  const client = useQueryClient()
  const query = useQuery({
    queryKey: SETTINGS, queryFn: async () => await bodyOf<Settings>(api.GET('/admin/api/settings'))
  })
  const { mutate } = useMutation({
    mutationFn: async (set: Partial<Settings>) =>
      await bodyOf<Settings>(api.PATCH('/admin/api/settings', { body: set })),
    onMutate: set => {
      const before = client.getQueryData<Settings>(SETTINGS)
      client.setQueryData<Settings>(SETTINGS, old => old === undefined ? undefined : { ...old, ...set })
      return { before }
    },
    onError: (error, _set, context) => {
      client.setQueryData(SETTINGS, context?.before)
      failed('The setting was not changed', error)
    },
    onSuccess: settings => { client.setQueryData(SETTINGS, settings) }
  })
  return (
    <Page title='Settings'>
      <Loaded query={query} what='settings'>
        {settings => (
          <Paper withBorder p='md' maw={640}>
            <Stack gap='md'>
              <Title order={2}>A new prompt type starts with</Title>
              <Switch
                label='Full data' description='The whole prompt and response of every call go into the usage log (track_full_data)'
                checked={settings.default_track_full_data} onChange={event => {
                  mutate({ default_track_full_data: event.currentTarget.checked })
                }}
              />
              <Switch
                label='Logged' description='Its calls get a row each in the usage log (is_active). Costs and the latest call are stored either way'
                checked={settings.default_is_active} onChange={event => {
                  mutate({ default_is_active: event.currentTarget.checked })
                }}
              />
              <Text size='xs' c='dimmed'>
                Existing prompt types retain their switches: change them on <Link href='/prompt-types'>Prompt types</Link>.
              </Text>
            </Stack>
          </Paper>
        )}
      </Loaded>
    </Page>
  )
}
