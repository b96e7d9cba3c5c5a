import { useSubscription } from "@apollo/client/react";
import { notifications } from "@mantine/notifications";

import { InboxChangedDocument } from "../../gql/inbox/graphql";
import { nameOf, titleOf } from "../../components/enquiryWords";
import { place, wasShown } from "./inboxLists";

/**
 * Keeps the inbox up to date while any screen is open, so that going back to it needs no request. Says when somebody
 * else was faster, unless the inbox knew that when it was loaded. The cache takes the changed fields by itself; only the
 * lists need to be told.
 */
export function InboxUpdates({ viewerId }: { viewerId: string }) {
  useSubscription(InboxChangedDocument, {
    ignoreResults: true,
    onData: ({ client, data: { data } }) => {
      const change = data?.leadOfferChanged;
      if (change?.leadOffer.user?.id !== viewerId) return;
      const { leadOffer: offer, previousStatus } = change;
      place(client.cache, offer);
      const { claimedBy } = offer.lead;
      const wasClaimable = previousStatus === "SENT" || previousStatus === "CLAIMED";
      if (claimedBy && claimedBy.id !== viewerId && wasClaimable && wasShown(client.cache, offer)) {
        notifications.show({
          title: previousStatus === "SENT" ? "Claimed by somebody else" : "No longer yours",
          message: `${nameOf(claimedBy)} has the lead now: ${titleOf(offer.lead)}`,
          color: "gray",
        });
      }
    },
  });
  return null;
}
