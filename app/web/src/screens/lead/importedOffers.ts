import type { LeadDetailsFragment, TimelineOfferFragment } from "../../gql/lead/graphql";

/** The offers of a lead that no rollout made: they were imported. The first to come due is first. */
export function importedOffersOf({ rollouts, offers }: LeadDetailsFragment): TimelineOfferFragment[] {
  const created = new Set(rollouts?.flatMap(({ createdOffers }) => createdOffers.map(({ id }) => id)));
  return offers.data.filter(({ id }) => !created.has(id));
}
