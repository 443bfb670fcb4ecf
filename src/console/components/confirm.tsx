import { Button, Group, Modal, Text } from '@mantine/core'
import type { ReactNode } from 'react'

/** Asks once more before what cannot be undone. */
export function Confirm ({ opened, title, children, action, pending, onConfirm, onClose }: {
  opened: boolean, title: string, children: ReactNode, action: string, pending: boolean, onConfirm: () => void, onClose: () => void
}) {
  return (
    <Modal opened={opened} onClose={onClose} title={title} size='sm' closeButtonProps={{ 'aria-label': 'Close' }}>
      <Text size='sm' component='div'>{children}</Text>
      <Group justify='flex-end' mt='md' gap='xs'>
        <Button size='xs' variant='default' onClick={onClose} data-autofocus>Cancel</Button>
        <Button size='xs' color='red' loading={pending} onClick={onConfirm}>{action}</Button>
      </Group>
    </Modal>
  )
}
