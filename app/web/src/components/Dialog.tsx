import { Button, Group, Modal } from "@mantine/core";
import { type ReactNode, useDeferredValue, useEffect } from "react";

interface DialogProps {
  opened: boolean;
  title: string;
  onClose: () => void;
  /** Whether a click outside closes it, as by default. Not if that would lose what somebody has typed. */
  closeOnClickOutside?: boolean;
  /** The button that does it. It stays in view below the content, however long that is, with another to cancel. */
  action?: ReactNode;
  children: ReactNode;
}

/** A dialog. Escape closes it. Without Mantine's header, which screen readers would take for a second one of the page. */
export function Dialog({ opened, title, onClose, closeOnClickOutside = true, action, children }: DialogProps) {
  useFocusReturn(opened);
  const wasRendered = useDeferredValue(true, false); // what is open from the beginning would not fade in
  return (
    <Modal.Root
      opened={opened && wasRendered}
      onClose={onClose}
      closeOnClickOutside={closeOnClickOutside}
      returnFocus={false}
      centered
    >
      <Modal.Overlay />
      <Modal.Content>
        <Modal.Body pt="md" {...(action !== undefined && { pb: 0 })}>
          <Group justify="space-between" wrap="nowrap" mb="sm">
            <Modal.Title fw={600}>{title}</Modal.Title>
            <Modal.CloseButton aria-label="Close" />
          </Group>
          {children}
          {action !== undefined && (
            <Group justify="flex-end" className="dialog-footer">
              <Button variant="default" onClick={onClose}>
                Cancel
              </Button>
              {action}
            </Group>
          )}
        </Modal.Body>
      </Modal.Content>
    </Modal.Root>
  );
}

/** Focuses what had the focus before the dialog. Mantine does not if the dialog is removed while it is open. */
function useFocusReturn(opened: boolean): void {
  useEffect(() => {
    if (!opened) return undefined;
    const opener = document.activeElement;
    return () => {
      if (opener instanceof HTMLElement) opener.focus({ preventScroll: true });
    };
  }, [opened]);
}
