import { ApolloLink } from "@apollo/client/link";
import { finalize, type Observable } from "rxjs";

/** How long to wait for a request, in ms. One that was sent through a network that the device has left may never end. */
export const PATIENCE = 30_000;

const inFlight = new Set<Promise<void>>();

/** Notes the requests that are in flight. */
export const noteInFlight = new ApolloLink((operation, forward) => {
  const { results, ended } = ending(forward(operation));
  inFlight.add(ended);
  void ended.then(() => inFlight.delete(ended));
  return results;
});

/** Settles when the requests that are in flight now have ended and their answers are in the cache, or take too long. */
export function answered(): Promise<unknown> {
  return Promise.all(inFlight);
}

/** The results of a request, with a promise that settles when they have ended, or take too long. */
export function ending<T>(request: Observable<T>): { results: Observable<T>; ended: Promise<void> } {
  let end = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
    setTimeout(resolve, PATIENCE);
  });
  return { results: request.pipe(finalize(end)), ended };
}
