import { Button, Text } from "@mantine/core";

import { Dialog } from "./Dialog";

interface ConfirmDialogProps {
  opened: boolean;
  title: string;
  text: string;
  /** The word on the button that does it. */
  confirm: string;
  onConfirm: () => void;
  onClose: () => void;
}

/** Asks before something that cannot be undone. Closed by Escape, by the other button, and once it is confirmed. */
export function ConfirmDialog({ opened, title, text, confirm, onConfirm, onClose }: ConfirmDialogProps) {
  return (
    <Dialog
      opened={opened}
      onClose={onClose}
      title={title}
      action={
        <Button
          color="red.9"
          data-autofocus
          onClick={() => {
            onClose();
            onConfirm();
          }}
        >
          {confirm}
        </Button>
      }
    >
      <Text>{text}</Text>
    </Dialog>
  );
}
