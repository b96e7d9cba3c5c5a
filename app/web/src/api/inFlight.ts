import { ApolloLink } from "@apollo/client/link";
import { finalize } from "rxjs";

/** How long to wait for a request, in ms. One that was sent through a network that the device has left may never end. */
export const PATIENCE = 30_000;

const inFlight = new Set<Promise<void>>();

/** Notes the requests that are in flight. */
export const noteInFlight = new ApolloLink((operation, forward) => {
  let end = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  inFlight.add(ended);
  return forward(operation).pipe(
    finalize(() => {
      inFlight.delete(ended);
      end();
    }),
  );
});

/** Settles when the requests that are in flight now have ended and their answers are in the cache, or take too long. */
export async function answered(): Promise<void> {
  if (inFlight.size === 0) return;
  await Promise.race([Promise.all(inFlight), new Promise((resolve) => setTimeout(resolve, PATIENCE))]);
}
