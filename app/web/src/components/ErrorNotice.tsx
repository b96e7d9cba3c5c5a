import { Alert, Button, Text } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";

import { describeError } from "../api/errors";

/** Says in words what an error of the API means, and offers the way on. `retry` repeats the request. */
export function ErrorNotice({ error, retry }: { error: unknown; retry?: () => unknown }) {
  const { title, text, wayOn } = describeError(error);
  return (
    <Alert color="red" variant="light" title={title} icon={<IconAlertTriangle aria-hidden />} role="alert">
      <Text size="sm">{text}</Text>
      {wayOn === "retry" && retry && (
        <Button mt="sm" size="xs" variant="default" onClick={() => retry()}>
          Try again
        </Button>
      )}
      {wayOn === "reload" && (
        <Button
          mt="sm"
          size="xs"
          variant="default"
          onClick={() => {
            window.location.reload();
          }}
        >
          Load the page again
        </Button>
      )}
    </Alert>
  );
}
