import { ApolloClient, InMemoryCache } from "@apollo/client";
import { ApolloLink } from "@apollo/client/link";
import { SetContextLink } from "@apollo/client/link/context";
import { ErrorLink } from "@apollo/client/link/error";
import { HttpLink } from "@apollo/client/link/http";
import { OperationTypeNode } from "graphql";
import { from, switchMap, tap, throwError } from "rxjs";

import { currentToken, endSession, noteAccepted, onSessionEnd, renewToken } from "../auth/session";
import { makeCatchUp } from "./catchUp";
import { codeOf } from "./errors";
import { noteInFlight } from "./inFlight";
import { inOrder } from "./inOrder";
import { makeLiveLink } from "./liveLink";
import { forget } from "./memory";

const withToken = new SetContextLink(async ({ headers }) => {
  const token = await currentToken();
  return { token, headers: { ...(headers as Record<string, string>), Authorization: `Bearer ${token ?? ""}` } };
});

/** Tells the live link how old the data of the page is at most. */
const aging = new ApolloLink((operation, forward) =>
  forward(operation).pipe(
    tap(({ data }) => {
      const now: unknown = data?.["now"];
      if (typeof now === "string") live.noteTime(now);
    }),
  ),
);

/** Notes for the sign-in that the server knows the person: it has answered with data. */
const acceptance = new ApolloLink((operation, forward) =>
  forward(operation).pipe(
    tap(({ data }) => {
      if (data) noteAccepted();
    }),
  ),
);

/** Sends a request once more with a fresh token if the server refused the old one. Ends the session if it refuses both. */
const renewal = new ErrorLink(({ error, operation, forward }) => {
  if (codeOf(error) !== "UNAUTHENTICATED") return undefined;
  const context = operation.getContext();
  const token = (context["token"] as string | undefined) ?? null;
  if (context["wasRenewed"]) {
    endSession(token);
    return undefined;
  }
  operation.setContext({ wasRenewed: true });
  return from(renewToken(token)).pipe(
    switchMap((isRenewed) => (isRenewed ? forward(operation) : throwError(() => error))),
  );
});

const live = makeLiveLink(() => {
  catchUp();
});

export const client = new ApolloClient({
  // The links need the time. Nothing shows it, so that the cache keeps the first one, and no screen renders again for it.
  cache: new InMemoryCache({
    typePolicies: { Query: { fields: { now: { merge: (known: unknown, now) => known ?? now } } } },
  }),
  link: ApolloLink.split(
    ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
    live.link,
    ApolloLink.from([noteInFlight, aging, inOrder, renewal, withToken, acceptance, new HttpLink({ uri: "/graphql" })]),
  ),
});

const catchUp = makeCatchUp(client);
window.addEventListener("online", catchUp);

/** Nothing of a session is left for the person who signs in next: neither data nor the connection with its token. */
onSessionEnd(() => {
  live.disconnect();
  forget();
  void client.clearStore();
});
