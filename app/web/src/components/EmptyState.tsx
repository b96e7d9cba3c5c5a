import { Paper, Stack, Text } from "@mantine/core";
import type { ReactNode } from "react";

/** Says that there is nothing to show, and what to do about it: text and buttons as children. */
export function EmptyState({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <Paper withBorder p="xl">
      <Stack align="center" gap="xs" ta="center">
        <Text fw={600}>{title}</Text>
        {children}
      </Stack>
    </Paper>
  );
}
