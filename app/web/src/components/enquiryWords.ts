import type { InboxLeadFragment } from "../gql/inbox/graphql";
import { LOCALE } from "../time/locale";

const price = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 0 });

interface Named {
  firstName?: string | null;
  lastName?: string | null;
}

/** The name of a user or contact, as far as it is known. */
export function nameOf({ firstName, lastName }: Named): string {
  return [firstName, lastName].filter(Boolean).join(" ") || "Unknown name";
}

/** Such as "Buyer in Austin, TX". */
export function titleOf({ type, city, state, zipcode }: InboxLeadFragment): string {
  const place = [city, state].filter(Boolean).join(", ") || zipcode;
  return [type ?? "Enquiry", ...(place ? ["in", place] : [])].join(" ");
}

/** What screen readers call a lead, which tells it from others of its kind, such as "Buyer in Austin, TX, Ada Lovelace". */
export function labelOf(lead: InboxLeadFragment): string {
  return `${titleOf(lead)}, ${nameOf(lead.contact)}`;
}

/** The price of the listing, such as "450,000". The API knows no currency. */
export function priceOf({ listingPrice }: InboxLeadFragment): string | null {
  return listingPrice == null ? null : price.format(listingPrice);
}
