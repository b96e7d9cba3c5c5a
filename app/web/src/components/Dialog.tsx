import { Group, Modal } from "@mantine/core";
import type { ReactNode } from "react";

interface DialogProps {
  opened: boolean;
  title: string;
  onClose: () => void;
  /** Whether a click outside closes it, as by default. Not if that would lose what somebody has typed. */
  closeOnClickOutside?: boolean;
  children: ReactNode;
}

/** A dialog. Escape closes it. Without Mantine's header, which screen readers would take for a second one of the page. */
export function Dialog({ opened, title, onClose, closeOnClickOutside = true, children }: DialogProps) {
  return (
    <Modal.Root opened={opened} onClose={onClose} closeOnClickOutside={closeOnClickOutside} centered>
      <Modal.Overlay />
      <Modal.Content>
        <Modal.Body pt="md">
          <Group justify="space-between" wrap="nowrap" mb="sm">
            <Modal.Title fw={600}>{title}</Modal.Title>
            <Modal.CloseButton aria-label="Close" />
          </Group>
          {children}
        </Modal.Body>
      </Modal.Content>
    </Modal.Root>
  );
}
