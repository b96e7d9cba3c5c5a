import type { LeadDetailsFragment, TimelineOfferFragment } from "../../gql/lead/graphql";

interface ImportedOffers {
  offers: TimelineOfferFragment[];
  /** How many more there are. */
  more: number;
}

/**
 * The offers of a lead that no rollout made: they were imported. The first to come due is first. The API lists them
 * with those of the rollouts, which mostly come due later, so that few of the first offers are enough.
 */
export function importedOffersOf({ rollouts, offers: { data, total } }: LeadDetailsFragment): ImportedOffers {
  const created = new Set(rollouts?.flatMap(({ createdOffers }) => createdOffers.map(({ id }) => id)));
  const offers = data.filter(({ id }) => !created.has(id));
  return { offers, more: Math.max(0, total - created.size - offers.length) };
}
