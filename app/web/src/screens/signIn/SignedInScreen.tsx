import { Button, Container, Text, Title } from "@mantine/core";
import { useEffect, useRef, useState } from "react";
import { useNavigate } from "react-router";

import { PageLoading } from "../../components/PageLoading";
import { destination } from "../../auth/destination";

/** Where the identity provider sends the browser back to. */
export function SignedInScreen() {
  const navigate = useNavigate();
  const [hasFailed, setHasFailed] = useState(false);
  const hasBegun = useRef(false);
  useEffect(() => {
    if (hasBegun.current) return; // the code of the provider is valid once
    hasBegun.current = true;
    import("../../auth/openid")
      .then(({ finish }) => finish())
      .then((then) => navigate(destination(then), { replace: true }))
      .catch(() => {
        setHasFailed(true);
      });
  }, [navigate]);

  if (!hasFailed) return <PageLoading />;
  return (
    <Container component="main" id="main" size="xs" py="xl">
      <Title order={1} size="h2">
        You are not signed in
      </Title>
      <Text my="md" role="alert">
        The sign-in was cancelled, or took too long.
      </Text>
      <Button component="a" href="/sign-in">
        Sign in again
      </Button>
    </Container>
  );
}
