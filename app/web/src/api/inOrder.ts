import { ApolloLink } from "@apollo/client/link";
import { OperationTypeNode } from "graphql";
import { concatMap, from } from "rxjs";

import { ending } from "./inFlight";

const last = new Map<string, Promise<void>>();

/** Sends the changes of one thing, by its id, one after the other: the server might take up a later one first. */
export const inOrder = new ApolloLink((operation, forward) => {
  const id = operation.variables["id"] as string | undefined;
  if (operation.operationType !== OperationTypeNode.MUTATION || !id) return forward(operation);
  const key = `${operation.operationName ?? ""} ${id}`;
  const earlier = last.get(key) ?? Promise.resolve();
  const { results, ended } = ending(from(earlier).pipe(concatMap(() => forward(operation))));
  last.set(key, ended);
  void ended.then(() => {
    if (last.get(key) === ended) last.delete(key);
  });
  return results;
});
