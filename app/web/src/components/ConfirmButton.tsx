import { Button, type ButtonProps } from "@mantine/core";
import { useState } from "react";

import { ConfirmDialog } from "./ConfirmDialog";

interface ConfirmButtonProps extends ButtonProps {
  /** What the button does, for screen readers; without it, its text. */
  "aria-label"?: string;
  title: string;
  text: string;
  /** The word on the button of the dialog that does it. */
  confirm: string;
  onConfirm: () => void;
}

/** A button for something that cannot be undone: it asks first. */
export function ConfirmButton({ title, text, confirm, onConfirm, ...button }: ConfirmButtonProps) {
  const [isAsking, setAsking] = useState(false);
  return (
    <>
      <Button
        variant="default"
        {...button}
        onClick={() => {
          setAsking(true);
        }}
      />
      <ConfirmDialog
        opened={isAsking}
        title={title}
        text={text}
        confirm={confirm}
        onConfirm={onConfirm}
        onClose={() => {
          setAsking(false);
        }}
      />
    </>
  );
}
