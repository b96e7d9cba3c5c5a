import type { ApolloCache } from "@apollo/client";

import {
  InboxDocument,
  type InboxLeadFragment,
  type InboxOfferFragment,
  type InboxQuery,
} from "../../gql/inbox/graphql";

/** What the lists of the inbox show of the cached ones: a change of an offer or a lead moves it at once. */
export interface InboxLists {
  /** Offers whose lead can be claimed now, the newest enquiry first. */
  claimable: InboxOfferFragment[];
  /** Offers that come due later, the next one first. */
  upcoming: InboxOfferFragment[];
  /** Leads that the viewer holds, the last claimed first. */
  held: InboxLeadFragment[];
}

export function listsOf(data: InboxQuery): InboxLists {
  const open = data.open.data.filter(isOpen);
  return {
    claimable: open
      .filter(({ viewerCanClaim }) => viewerCanClaim)
      .sort((one, other) => other.lead.createdAt.localeCompare(one.lead.createdAt)),
    upcoming: open
      .filter(({ viewerCanClaim, notifyAt }) => !viewerCanClaim && notifyAt)
      .sort((one, other) => (one.notifyAt ?? "").localeCompare(other.notifyAt ?? "")),
    held: data.held.data
      .filter(({ claimedBy }) => claimedBy?.id === data.me.id)
      .sort((one, other) => (other.claimedAt ?? "").localeCompare(one.claimedAt ?? "")),
  };
}

function isOpen({ status }: InboxOfferFragment): boolean {
  return status === "SCHEDULED" || status === "SENT";
}

/** Puts an offer of the viewer that was made, or has changed, into the list in which it belongs. */
export function place(cache: ApolloCache, offer: InboxOfferFragment): void {
  const me = offer.user?.id;
  if (!me) return;
  cache.updateQuery({ query: InboxDocument, variables: { me } }, (data) => {
    if (!data) return undefined;
    const { open, held } = data;
    return {
      ...data,
      open: isOpen(offer) ? withRow(open, offer) : open,
      held: offer.status === "CLAIMED" ? withRow(held, offer.lead) : held,
    };
  });
}

/**
 * Whether the lists have shown an offer of the viewer that is no longer open, or its lead as the viewer's. True if they
 * are not loaded.
 */
export function wasShown(cache: ApolloCache, offer: InboxOfferFragment): boolean {
  const data = offer.user && cache.readQuery({ query: InboxDocument, variables: { me: offer.user.id } });
  if (!data) return true;
  const { open, held } = data;
  return open.data.some(({ id }) => id === offer.id) || held.data.some(({ id }) => id === offer.lead.id);
}

function withRow<Row extends { id: string }, Page extends { data: Row[] }>(page: Page, row: Row): Page {
  return page.data.some(({ id }) => id === row.id) ? page : { ...page, data: [row, ...page.data] };
}
