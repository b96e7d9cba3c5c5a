import "../../app/otherStyles.css";

import { Anchor, Button, Container, Paper, Stack, Text, Textarea, Title, UnstyledButton } from "@mantine/core";
import { IconChevronRight } from "@tabler/icons-react";
import { useEffect, useState } from "react";
import { Navigate, useNavigate, useSearchParams } from "react-router";

import { client } from "../../api/client";
import { configuration, type DemoPerson } from "../../app/configuration";
import { destination } from "../../auth/destination";
import { refusedSession, setSession, useSession } from "../../auth/session";
import { RefusalNotice } from "./RefusalNotice";
import classes from "./SignInScreen.module.css";

/** Signs in: as a person of the demo, at the identity provider, or with an access token. */
export function SignInScreen() {
  const [parameters] = useSearchParams();
  const [openedWith] = useState(useSession());
  const [refused] = useState(refusedSession);
  const { signIn, graphiql } = configuration;
  const then = destination(parameters.get("then"));

  useEffect(() => {
    document.title = "Sign in · Lead Offers";
  }, []);
  if (openedWith) return <Navigate replace to={then} />;

  return (
    <Container component="main" id="main" size="xs" py="xl">
      <Title order={1}>Lead Offers</Title>
      {refused && <RefusalNotice session={refused} />}
      {signIn.kind === "demo" && <People people={signIn.people} then={then} />}
      {signIn.kind === "openid" && <Provider then={then} canBeSomebodyElse={refused !== null} />}
      {signIn.kind === "token" && <Token then={then} />}
      {graphiql && signIn.kind === "demo" && (
        <Text size="sm" mt="lg">
          For developers:{" "}
          <Anchor href="/graphql" underline="always">
            try the API in GraphiQL
          </Anchor>
        </Text>
      )}
    </Container>
  );
}

function useSignIn(then: string) {
  const navigate = useNavigate();
  return async (kind: "demo" | "token", token: string) => {
    await client.clearStore();
    setSession({ kind, token });
    await navigate(then, { replace: true });
  };
}

const GROUPS = [
  { group: "agents", title: "Agents", text: "They claim the leads that their teams offer them." },
  { group: "leaders", title: "Leaders", text: "They submit leads to their teams, and watch who claims them." },
  { group: "others", title: "Others", text: "They are in no team, or have not answered an invitation." },
] as const;

function People({ people, then }: { people: DemoPerson[]; then: string }) {
  const signIn = useSignIn(then);
  return (
    <>
      <Text my="md">This is the demo. Who do you want to be?</Text>
      {GROUPS.map(({ group, title, text }) => {
        const own = people.filter((person) => person.group === group);
        return (
          own.length > 0 && (
            <section key={group} aria-label={title}>
              <Title order={2} size="h4" mt="lg">
                {title}
              </Title>
              <Text size="sm" c="dimmed" mb="xs">
                {text}
              </Text>
              <Stack component="ul" gap="xs" className={classes["people"] ?? ""}>
                {own.map((person) => (
                  <li key={person.id}>
                    <Person person={person} onChoose={() => void signIn("demo", person.token)} />
                  </li>
                ))}
              </Stack>
            </section>
          )
        );
      })}
    </>
  );
}

function Person({ person: { name, description }, onChoose }: { person: DemoPerson; onChoose: () => void }) {
  return (
    <Paper withBorder>
      <UnstyledButton className={classes["person"] ?? ""} onClick={onChoose}>
        <span>
          <Text fw={600} component="span" display="block">
            {name}
          </Text>
          <Text size="sm" component="span" display="block">
            {description}
          </Text>
        </span>
        <IconChevronRight size={20} aria-hidden />
      </UnstyledButton>
    </Paper>
  );
}

function Provider({ then, canBeSomebodyElse }: { then: string; canBeSomebodyElse: boolean }) {
  const [state, setState] = useState<"idle" | "leaving" | "failed">("idle");
  const go = async (asSomebodyElse: boolean) => {
    setState("leaving");
    try {
      const { begin } = await import("../../auth/openid");
      await begin(then, asSomebodyElse);
    } catch {
      setState("failed");
    }
  };
  return (
    <Stack mt="md" align="flex-start">
      <Text>Sign in with the account of your organization.</Text>
      <Button onClick={() => void go(false)} loading={state === "leaving"}>
        Sign in
      </Button>
      {canBeSomebodyElse && (
        <Button variant="default" onClick={() => void go(true)} disabled={state === "leaving"}>
          Use another account
        </Button>
      )}
      {state === "failed" && (
        <Text role="alert">The sign-in service cannot be reached. Check your connection, then try again.</Text>
      )}
    </Stack>
  );
}

function Token({ then }: { then: string }) {
  const signIn = useSignIn(then);
  const [token, setToken] = useState("");
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void signIn("token", token.replace(/^\s*Bearer\s+/i, "").replace(/\s/g, ""));
      }}
    >
      <Stack mt="md" align="stretch">
        <Textarea
          label="Access token"
          description="The people who run this server give it to you. It is kept until you close this tab."
          required
          rows={5}
          autoComplete="off"
          spellCheck={false}
          value={token}
          onChange={(event) => {
            setToken(event.currentTarget.value);
          }}
        />
        <Button type="submit">Sign in</Button>
      </Stack>
    </form>
  );
}
