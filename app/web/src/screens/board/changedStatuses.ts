import type { ApolloCache } from "@apollo/client";

import { onForget } from "../../api/memory";
import { type LeadStatus, type StatusFields, statusOf } from "./leadStatus";
import { dropLists, isOfBoard } from "./newLeads";

const AFTER_CHANGE = 1000; // ms, so that a burst of changes drops the lists once
const BY_STATUS = /"(?:submitted|claimed|exhausted)":/;

const known = new Map<string, LeadStatus>();
onForget(() => {
  known.clear();
});
let timer: ReturnType<typeof setTimeout> | undefined;

/**
 * Notes a lead that has changed. If its status is another, the lists of the board that are filtered by status are
 * dropped soon. The one that is on the screen is asked for again; until then the lead stays in it with its new status.
 */
export function noteStatus(cache: ApolloCache, lead: StatusFields & { id: string }): void {
  const status = statusOf(lead);
  if (known.get(lead.id) === status) return;
  known.set(lead.id, status);
  timer ??= setTimeout(() => {
    timer = undefined;
    dropLists(cache, (name) => isOfBoard(name) && BY_STATUS.test(name));
  }, AFTER_CHANGE);
}
