import { ApolloLink } from "@apollo/client/link";
import { OperationTypeNode } from "graphql";
import { concatMap, defer, finalize, from } from "rxjs";

import { PATIENCE } from "./inFlight";

const last = new Map<string, Promise<void>>();

/** Sends the changes of one thing, by its id, one after the other: the server might take up a later one first. */
export const inOrder = new ApolloLink((operation, forward) => {
  const id = operation.variables["id"] as string | undefined;
  if (operation.operationType !== OperationTypeNode.MUTATION || !id) return forward(operation);
  const key = `${operation.operationName ?? ""} ${id}`;
  const earlier = last.get(key);
  let end = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
    setTimeout(resolve, PATIENCE);
  });
  last.set(key, ended);
  const send = () =>
    forward(operation).pipe(
      finalize(() => {
        end();
        if (last.get(key) === ended) last.delete(key);
      }),
    );
  return earlier ? defer(() => from(earlier)).pipe(concatMap(send)) : send();
});
