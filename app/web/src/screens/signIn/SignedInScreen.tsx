import { Button, Container, Text, Title } from "@mantine/core";
import { useEffect, useRef, useState } from "react";
import { useNavigate } from "react-router";

import { PageLoading } from "../../components/PageLoading";
import { destination } from "../../auth/destination";

/** Where the identity provider sends the browser back to. */
export function SignedInScreen() {
  const navigate = useNavigate();
  const [problem, setProblem] = useState<string | null>(null);
  const hasBegun = useRef(false);
  useEffect(() => {
    if (hasBegun.current) return; // the code of the provider is valid once
    hasBegun.current = true;
    import("../../auth/openid")
      .then(({ finish }) => finish())
      .then((then) => navigate(destination(then), { replace: true }))
      .catch(async (error: unknown) => {
        setProblem(await wordsFor(error));
      });
  }, [navigate]);

  if (problem === null) return <PageLoading />;
  return (
    <Container component="main" id="main" size="xs" py="xl">
      <Title order={1} size="h2">
        You are not signed in
      </Title>
      <Text my="md" role="alert">
        {problem}
      </Text>
      <Button component="a" href="/sign-in">
        Sign in again
      </Button>
    </Container>
  );
}

/** Why the sign-in failed, and what to do about it. */
async function wordsFor(error: unknown): Promise<string> {
  const { wasDenied } = await import("../../auth/openid").catch(() => ({ wasDenied: () => false }));
  return wasDenied(error)
    ? "The sign-in was cancelled, or your organization does not let you use Lead Offers. Sign in again, or ask your organization for access."
    : "The sign-in took too long, or the sign-in service cannot be reached. Sign in again.";
}
