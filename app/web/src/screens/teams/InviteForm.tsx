import { useMutation } from "@apollo/client/react";
import { notifications } from "@mantine/notifications";
import { type FormEvent, useState } from "react";

import { codeOf, describeError } from "../../api/errors";
import { InviteMemberDocument, TeamDocument } from "../../gql/teams/graphql";
import { InputWithButton } from "./InputWithButton";

/** Invites a person by e-mail address. */
export function InviteForm({ teamId }: { teamId: string }) {
  const [inviteMember, { loading }] = useMutation(InviteMemberDocument, {
    refetchQueries: [TeamDocument],
    awaitRefetchQueries: true,
  });
  const [email, setEmail] = useState("");
  const [problem, setProblem] = useState<string | null>(null);

  const invite = async (event: FormEvent) => {
    event.preventDefault();
    try {
      await inviteMember({ variables: { teamId, email: email.trim() } });
      setEmail("");
      notifications.show({ title: "Invited", message: email.trim() });
    } catch (error) {
      setProblem(wordsOf(error));
    }
  };

  return (
    <form onSubmit={(event) => void invite(event)} noValidate>
      <InputWithButton
        label="Invite by e-mail"
        type="email"
        value={email}
        error={problem}
        button="Invite"
        loading={loading}
        onChange={(event) => {
          setEmail(event.currentTarget.value);
          setProblem(null);
        }}
      />
    </form>
  );
}

function wordsOf(error: unknown): string {
  switch (codeOf(error)) {
    case "BAD_USER_INPUT":
      return "Enter an e-mail address, such as name@example.com.";
    case "NOT_FOUND":
      return "Nobody with this e-mail address has an account.";
    case "CONFLICT":
      return "The team already has 200 invitations that wait for an account. Remove some of them first.";
    default:
      return describeError(error).text;
  }
}
