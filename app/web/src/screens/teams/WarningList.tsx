import { Alert, Stack } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";

/** Problems of settings, beside what they are about. */
export function WarningList({ texts }: { texts: string[] }) {
  if (texts.length === 0) return null;
  return (
    <Stack gap="xs">
      {texts.map((text) => (
        <Alert
          key={text}
          color="orange"
          variant="light"
          p="xs"
          role="note"
          aria-label="Warning"
          icon={<IconAlertTriangle size={18} aria-hidden />}
          className="any-word"
        >
          {text}
        </Alert>
      ))}
    </Stack>
  );
}
