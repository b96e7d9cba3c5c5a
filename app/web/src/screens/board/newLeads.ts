import { makeVar } from "@apollo/client";
import type { ApolloCache } from "@apollo/client";

import { onForget } from "../../api/memory";

/** The ids of the viewer's leads that came in since the lists of the board were asked for. */
export const newLeads = makeVar<string[]>([]);

onForget(() => newLeads([]));

const createdHere = new Set<string>();

/** Notes a lead that came in. The board offers to show it, unless it was created in this tab and is shown already. */
export function noteNewLead(id: string): void {
  if (!createdHere.has(id) && !newLeads().includes(id)) newLeads([...newLeads(), id]);
}

/** Notes a lead that was created in this tab. The lists of the board have it when they are shown next. */
export function noteCreatedLead(cache: ApolloCache, id: string): void {
  createdHere.add(id);
  showNewLeads(cache);
}

/** Drops all cached lists of the board. The one that is on the screen is asked for again. */
export function showNewLeads(cache: ApolloCache): void {
  newLeads([]);
  dropLists(cache, (name) => name.includes('"creatorId"'));
}

/** Drops the cached lists of leads whose stored name, which contains their filter, matches. */
export function dropLists(cache: ApolloCache, matches: (name: string) => boolean): void {
  cache.modify({
    id: "ROOT_QUERY",
    fields: {
      leads: (page: unknown, { storeFieldName, DELETE }) => (matches(storeFieldName) ? DELETE : page),
    },
  });
}
