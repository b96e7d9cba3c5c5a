import { CombinedGraphQLErrors } from "@apollo/client/errors";
import { useMutation } from "@apollo/client/react";
import { notifications } from "@mantine/notifications";

import { attempt } from "../../api/attempt";
import { codeOf, describeError } from "../../api/errors";
import {
  ClaimOfferDocument,
  DeclineOfferDocument,
  type InboxLeadFragment,
  type InboxOfferFragment,
  ReleaseHeldLeadDocument,
} from "../../gql/inbox/graphql";
import { nameOf } from "../../components/enquiryWords";
import { place } from "./inboxLists";

/** Claims and declines an offer. The screen shows the result at once, and takes it back if the server refuses. */
export function useOfferActions(offer: InboxOfferFragment) {
  const [claimOffer] = useMutation(ClaimOfferDocument);
  const [declineOffer] = useMutation(DeclineOfferDocument);

  const claim = async () => {
    const change = claimOffer({
      variables: { id: offer.id },
      optimisticResponse: { claimLeadOffer: { leadOffer: asClaimed(offer) } },
      update: (cache, { data }) => {
        if (data?.claimLeadOffer) place(cache, data.claimLeadOffer.leadOffer);
      },
    });
    if (!(await attempt(change, wordsOf))) return;
    notifications.show({
      title: "The lead is yours",
      message: `Get in touch with ${nameOf(offer.lead.contact)} now.`,
    });
  };

  const decline = () =>
    attempt(
      declineOffer({
        variables: { id: offer.id },
        optimisticResponse: {
          declineLeadOffer: { leadOffer: { ...offer, status: "DECLINED", viewerCanClaim: false } },
        },
      }),
      wordsOf,
    );

  return { claim, decline };
}

/** Gives a held lead back. */
export function useRelease(lead: InboxLeadFragment) {
  const [releaseLead] = useMutation(ReleaseHeldLeadDocument);
  return () =>
    attempt(
      releaseLead({
        variables: { id: lead.id },
        optimisticResponse: { releaseLead: { lead: { ...lead, claimedBy: null, claimedAt: null } } },
      }),
    );
}

function asClaimed(offer: InboxOfferFragment): InboxOfferFragment {
  const claimedBy = offer.user ? { firstName: "", lastName: "", ...offer.user } : null;
  return {
    ...offer,
    status: "CLAIMED",
    lead: { ...offer.lead, claimedBy, claimedAt: new Date().toISOString(), nextStep: null },
  };
}

/** Who was faster, if somebody was; otherwise what the error means. */
function wordsOf(error: unknown): { title: string; text: string } {
  const { title, text } = describeError(error);
  const winner = codeOf(error) === "ALREADY_CLAIMED" && CombinedGraphQLErrors.is(error) ? error : null;
  const claimedBy = winner?.errors[0]?.extensions?.["claimedBy"] as
    { firstName: string; lastName: string } | null | undefined;
  return { title, text: claimedBy ? `${nameOf(claimedBy)} has claimed this lead.` : text };
}
