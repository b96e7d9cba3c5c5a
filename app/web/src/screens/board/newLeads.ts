import { makeVar } from "@apollo/client";
import type { ApolloCache } from "@apollo/client";

/** The ids of the viewer's leads that came in since the lists of the board were asked for. */
export const newLeads = makeVar<string[]>([]);

/** Drops all cached lists of the board. The one that is on the screen is asked for again. */
export function showNewLeads(cache: ApolloCache): void {
  newLeads([]);
  cache.modify({
    id: "ROOT_QUERY",
    fields: {
      leads: (page: unknown, { storeFieldName, DELETE }) => (storeFieldName.includes('"creatorId"') ? DELETE : page),
    },
  });
}
