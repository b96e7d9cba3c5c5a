import type { ApolloClient, OperationVariables } from "@apollo/client";

import { backoff, waitOrOnline } from "./backoff";
import { BANNER_AFTER, setBehind } from "./connection";
import { describeError } from "./errors";
import { PATIENCE } from "./inFlight";
import { forget } from "./memory";

/**
 * Returns a function that brings the page up to date after a gap in the connection, in which changes may have been
 * missed. It asks again for everything that is on the screen, as often as it takes, and forgets the lists of other
 * screens, which are asked for when somebody goes there.
 */
export function makeCatchUp(client: ApolloClient): () => void {
  let gaps = 0;
  let isRunning = false;

  const run = async () => {
    const banner = setTimeout(setBehind, BANNER_AFTER, true);
    for (let done = 0, failures = 0; done < gaps;) {
      const current = gaps;
      forget();
      forgetHiddenLists(client);
      try {
        await Promise.race([client.refetchQueries({ include: "active" }), tooLate()]);
        done = current;
      } catch (error) {
        if (describeError(error).wayOn === "retry") {
          await waitOrOnline(backoff(failures++));
        } else {
          client.cache.evict({ id: "ROOT_QUERY", broadcast: false }); // so that nobody sees it again as it was
          done = current;
        }
      }
    }
    clearTimeout(banner);
    setBehind(false);
  };

  return () => {
    gaps += 1;
    if (isRunning) return;
    isRunning = true;
    gaps = 1;
    void run().finally(() => {
      isRunning = false;
    });
  };
}

/** Drops all lists of the cache but those on the screen, which stays as it is until the new ones are there. */
function forgetHiddenLists(client: ApolloClient): void {
  const { cache } = client;
  const shown = [...client.getObservableQueries("active").values()].map(({ query, variables }) => ({
    query,
    variables,
    data: cache.readQuery<OperationVariables>({ query, variables }),
  }));
  cache.evict({ id: "ROOT_QUERY", broadcast: false });
  for (const { query, variables, data } of shown) {
    if (data) cache.writeQuery({ query, variables, data, broadcast: false });
  }
}

function tooLate(): Promise<never> {
  return new Promise((_resolve, reject) => setTimeout(reject, PATIENCE, new Error("The requests take too long.")));
}
