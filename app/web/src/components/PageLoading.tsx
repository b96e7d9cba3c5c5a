import { Skeleton, Stack } from "@mantine/core";

/** Stands for a list of cards while it is loaded, as wide as they are. */
export function PageLoading({ rows = 3 }: { rows?: number }) {
  return (
    <Stack aria-busy role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, row) => (
        <Skeleton key={row} height={88} />
      ))}
    </Stack>
  );
}
