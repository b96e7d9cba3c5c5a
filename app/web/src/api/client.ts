import { ApolloClient, InMemoryCache, type OperationVariables } from "@apollo/client";
import { ApolloLink } from "@apollo/client/link";
import { SetContextLink } from "@apollo/client/link/context";
import { ErrorLink } from "@apollo/client/link/error";
import { HttpLink } from "@apollo/client/link/http";
import { OperationTypeNode } from "graphql";
import { from, switchMap, tap, throwError } from "rxjs";

import { currentToken, noteAccepted, renewToken } from "../auth/session";
import { codeOf } from "./errors";
import { makeLiveLink } from "./liveLink";

const withToken = new SetContextLink(async ({ headers }) => {
  const token = await currentToken();
  return { token, headers: { ...(headers as Record<string, string>), Authorization: `Bearer ${token ?? ""}` } };
});

/** Notes for the sign-in that the server knows the person: it has answered with data. */
const acceptance = new ApolloLink((operation, forward) =>
  forward(operation).pipe(
    tap(({ data }) => {
      if (data) noteAccepted();
    }),
  ),
);

/** Sends a request once more with a fresh token if the server refused the old one. Ends the session if there is none. */
const renewal = new ErrorLink(({ error, operation, forward }) => {
  if (codeOf(error) !== "UNAUTHENTICATED") return undefined;
  const context = operation.getContext();
  if (context["wasRenewed"]) return undefined;
  operation.setContext({ wasRenewed: true });
  return from(renewToken((context["token"] as string | undefined) ?? null)).pipe(
    switchMap((isRenewed) => (isRenewed ? forward(operation) : throwError(() => error))),
  );
});

export const client = new ApolloClient({
  cache: new InMemoryCache(),
  link: ApolloLink.split(
    ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
    makeLiveLink(catchUp),
    ApolloLink.from([renewal, withToken, acceptance, new HttpLink({ uri: "/graphql" })]),
  ),
});

/**
 * Asks again for everything that is on the screen, and forgets the lists of other screens, which are asked for when
 * somebody goes there: while there was no connection, changes may have been missed.
 */
function catchUp(): void {
  const { cache } = client;
  const shown = [...client.getObservableQueries("active").values()].map(({ query, variables }) => ({
    query,
    variables,
    data: cache.readQuery<OperationVariables>({ query, variables }),
  }));
  cache.evict({ id: "ROOT_QUERY", broadcast: false });
  for (const { query, variables, data } of shown) {
    if (data) cache.writeQuery({ query, variables, data, broadcast: false }); // so that the screen stays as it is
  }
  void client.refetchQueries({ include: "active" }).catch(() => undefined); // screens show their own errors
}

window.addEventListener("online", catchUp);
