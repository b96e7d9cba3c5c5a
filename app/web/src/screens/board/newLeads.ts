import { makeVar } from "@apollo/client";
import type { ApolloCache, Reference } from "@apollo/client";

import { onForget } from "../../api/memory";

/** The ids of the viewer's leads that came in since the lists of the board were asked for. */
export const newLeads = makeVar<string[]>([]);

onForget(() => newLeads([]));

const createdHere = new Set<string>();

/** Notes a lead that came in. The board offers to show it, unless it was created in this tab or is in its lists. */
export function noteNewLead(cache: ApolloCache, id: string): void {
  if (!createdHere.has(id) && !newLeads().includes(id) && !isListed(cache, id)) newLeads([...newLeads(), id]);
}

/** Whether all lists of the board have the lead. If there are none, they are asked for when the board is opened. */
function isListed(cache: ApolloCache, id: string): boolean {
  const found: boolean[] = [];
  cache.modify<{ leads: { data: Reference[] } }>({
    id: "ROOT_QUERY",
    fields: {
      leads: (page, { storeFieldName, readField }) => {
        const leads = readField<Reference[]>("data", page as Reference) ?? [];
        if (isOfBoard(storeFieldName)) found.push(leads.some((lead) => readField("id", lead) === id));
        return page;
      },
    },
  });
  return found.every(Boolean);
}

/** Whether a list of leads is one of the board, by its stored name, which contains its filter. */
export function isOfBoard(storedName: string): boolean {
  return storedName.includes('"creatorId"');
}

/** Notes a lead that was created in this tab. The lists of the board have it when they are shown next. */
export function noteCreatedLead(cache: ApolloCache, id: string): void {
  createdHere.add(id);
  showNewLeads(cache);
}

/** Drops all cached lists of the board. The one that is on the screen is asked for again. */
export function showNewLeads(cache: ApolloCache): void {
  newLeads([]);
  dropLists(cache, isOfBoard);
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
