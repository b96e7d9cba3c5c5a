import { useMutation } from "@apollo/client/react";
import { Button, Group, Paper, Stack, Text, Title } from "@mantine/core";

import {
  AnswerInvitationDocument,
  type InvitationAnswer,
  TeamsDocument,
  type TeamsQuery,
} from "../../gql/teams/graphql";
import { attempt } from "../../api/attempt";
import { nameOf } from "./people";

/** The invitations that wait for the viewer's answer. */
export function Invitations({ invitations }: { invitations: TeamsQuery["invitations"]["data"] }) {
  const [answerInvitation, { loading }] = useMutation(AnswerInvitationDocument, {
    refetchQueries: [TeamsDocument],
    awaitRefetchQueries: true,
  });
  const answer = (id: string, given: InvitationAnswer) =>
    void attempt(answerInvitation({ variables: { id, answer: given } }));
  if (invitations.length === 0) return null;
  return (
    <section aria-label="Invitations">
      <Title order={2} size="h3" mb="sm">
        Invitations
      </Title>
      <Stack mb="xl">
        {invitations.map(({ id, team }) => (
          <Paper key={id} component="article" withBorder p="md" aria-label={`Invitation to ${team.name}`}>
            <Group justify="space-between">
              <Text className="any-word">
                {nameOf(team.creator)} invites you to <strong>{team.name}</strong>.
              </Text>
              <Group>
                <Button
                  disabled={loading}
                  aria-label={`Accept: ${team.name}`}
                  onClick={() => {
                    answer(id, "ACCEPTED");
                  }}
                >
                  Accept
                </Button>
                <Button
                  variant="default"
                  disabled={loading}
                  aria-label={`Decline: ${team.name}`}
                  onClick={() => {
                    answer(id, "DECLINED");
                  }}
                >
                  Decline
                </Button>
              </Group>
            </Group>
          </Paper>
        ))}
      </Stack>
    </section>
  );
}
