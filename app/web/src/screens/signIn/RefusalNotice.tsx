import { Alert, Text } from "@mantine/core";

import type { Session } from "../../auth/session";

/** Says why the server has ended the session, and what to do about it. */
export function RefusalNotice({ session }: { session: Session }) {
  const { title, text } = wordsFor(session);
  return (
    <Alert color="yellow" variant="light" mt="md" role="alert" title={title}>
      <Text size="sm" className="any-word">
        {text}
      </Text>
    </Alert>
  );
}

function wordsFor({ kind, email, isEmailVerified, wasAccepted }: Session): {
  title: string;
  text: string;
} {
  if (kind === "token") {
    return {
      title: "The access token is not accepted",
      text: "Your session has ended, or the access token is not valid. Check that you copied all of it, or ask the people who run this server for a new one.",
    };
  }
  if (kind === "demo" || wasAccepted) {
    return { title: "You are signed out", text: "Your session has ended. Sign in again." };
  }
  if (isEmailVerified === false) {
    return {
      title: "Your e-mail address is not verified",
      text: `The sign-in worked, but nobody has verified that ${email ?? "the e-mail address"} is yours. Verify it with your organization’s sign-in service, then sign in again.`,
    };
  }
  return {
    title: "You have no account here",
    text: `The sign-in worked, but ${email ?? "your account"} is unknown or not active here. Ask the leader of your team to invite you, or the people who run this server for an account. Your e-mail address must also be verified with your organization’s sign-in service.`,
  };
}
