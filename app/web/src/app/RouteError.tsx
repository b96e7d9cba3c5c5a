import { Button, Container, Text, Title } from "@mantine/core";
import { isRouteErrorResponse, useRouteError } from "react-router";

/** Shown if an address does not exist, or if a screen fails to load or to render. */
export function RouteError() {
  const error = useRouteError();
  const missing = isRouteErrorResponse(error) && error.status === 404;
  return (
    <Container size="xs" py="xl" component="main" id="main">
      <Title order={1} size="h2">
        {missing ? "There is no such page" : "This page could not be shown"}
      </Title>
      <Text my="md">
        {missing
          ? "The address may be misspelled, or the page has moved."
          : "A new version may have been installed in the meantime. Loading the page again usually helps."}
      </Text>
      {missing ? (
        <Button component="a" href="/">
          Go to the inbox
        </Button>
      ) : (
        <Button
          onClick={() => {
            window.location.reload();
          }}
        >
          Load the page again
        </Button>
      )}
    </Container>
  );
}
