import { Button, type ButtonProps } from "@mantine/core";
import { Suspense, useState } from "react";

import { later } from "../app/later";

const ConfirmDialog = later(async () => (await import("./ConfirmDialog")).ConfirmDialog);

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
  const [isAsking, setAsking] = useState<boolean>(); // before the first time it has no dialog
  return (
    <>
      <Button
        variant="default"
        {...button}
        onClick={() => {
          setAsking(true);
        }}
      />
      {isAsking !== undefined && (
        <Suspense>
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
        </Suspense>
      )}
    </>
  );
}
