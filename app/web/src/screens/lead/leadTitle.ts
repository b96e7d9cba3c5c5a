import type { InboxLeadFragment } from "../../gql/inbox/graphql";
import { nameOf } from "../../components/enquiryWords";

/** What the lead is and whose, such as "Seller · Radia Perlman". */
export function leadTitle({ type, contact }: Pick<InboxLeadFragment, "type" | "contact">): string {
  return `${type ?? "Enquiry"} · ${nameOf(contact)}`;
}
