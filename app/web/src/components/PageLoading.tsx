import { Skeleton, Stack } from "@mantine/core";

/** Stands for a list of cards, or for a whole screen, while it is loaded. */
export function PageLoading({ rows = 3 }: { rows?: number }) {
  return (
    <Stack p="md" aria-busy role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, row) => (
        <Skeleton key={row} height={88} />
      ))}
    </Stack>
  );
}
