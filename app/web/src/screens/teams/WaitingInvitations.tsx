import { useMutation } from "@apollo/client/react";
import { Button, Group, Paper, Stack, Text, Title } from "@mantine/core";

import { RemoveWaitingDocument, TeamNotesDocument, type TeamNotesQuery } from "../../gql/teams/graphql";
import { RelativeTime } from "../../time/RelativeTime";
import { attempt } from "../../api/attempt";

type Waiting = NonNullable<NonNullable<TeamNotesQuery["team"]>["waitingInvitations"]>;

/** Invitations of people who have no account yet. */
export function WaitingInvitations({ waiting }: { waiting: Waiting }) {
  const [removeWaiting, { loading }] = useMutation(RemoveWaitingDocument, { refetchQueries: [TeamNotesDocument] });
  if (waiting.length === 0) return null;
  return (
    <section aria-label="Waiting for an account">
      <Title order={2} size="h3" mb="sm">
        Waiting for an account
      </Title>
      <Stack>
        {waiting.map(({ id, email, invitedAt, status }) => (
          <Paper key={id} withBorder p="md">
            <Group justify="space-between">
              <div style={{ minWidth: 0 }}>
                <Text className="any-word">{email}</Text>
                <Text size="sm" c="dimmed">
                  Invited <RelativeTime time={invitedAt} />
                  {status === "FAILED" && ". The e-mail could not be sent: invite the address again."}
                </Text>
              </div>
              <Button
                size="xs"
                variant="default"
                disabled={loading}
                aria-label={`Remove the invitation: ${email}`}
                onClick={() => void attempt(removeWaiting({ variables: { id } }))}
              >
                Remove
              </Button>
            </Group>
          </Paper>
        ))}
      </Stack>
    </section>
  );
}
