import { Button, Container, Text, Title } from "@mantine/core";
import { useEffect } from "react";

/** Shown at an address that does not exist. */
export function NoSuchPage() {
  useEffect(() => {
    document.title = "No such page · Lead Offers";
  }, []);
  return (
    <Container size="xs" py="xl" component="main" id="main">
      <Title order={1} size="h2">
        There is no such page
      </Title>
      <Text my="md">The address may be misspelled, or the page has moved.</Text>
      <Button component="a" href="/">
        Go to the inbox
      </Button>
    </Container>
  );
}
