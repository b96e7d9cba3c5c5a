import { Button, Container, Text, Title } from "@mantine/core";

/** Shown if a screen fails to load or to render. */
export function RouteError() {
  return (
    <Container size="xs" py="xl" component="main" id="main">
      <Title order={1} size="h2">
        This page could not be shown
      </Title>
      <Text my="md">A new version may have been installed in the meantime. Loading the page again usually helps.</Text>
      <Button
        onClick={() => {
          window.location.reload();
        }}
      >
        Load the page again
      </Button>
    </Container>
  );
}
