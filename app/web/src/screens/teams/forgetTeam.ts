import type { ApolloCache } from "@apollo/client";

/** Takes a team that the viewer has no access to any more out of the cache, and so out of every list. */
export function forgetTeam(cache: ApolloCache, id: string): void {
  const key = cache.identify({ __typename: "Team", id });
  if (key) cache.evict({ id: key });
}
