import { Group } from "@mantine/core";
import type { ReactNode } from "react";

/** An input with its button beside it, or below it where there is no space. The label and the error go around both. */
export function InputWithButton({ input, children }: { input: ReactNode; children: ReactNode }) {
  return (
    <Group gap="sm">
      <div style={{ flex: "1 1 200px" }}>{input}</div>
      {children}
    </Group>
  );
}
