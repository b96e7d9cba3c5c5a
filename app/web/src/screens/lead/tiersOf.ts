/** Offers by the time at which they come due, in their order; imported ones may have none, which is "". */
export function tiersOf<Offer extends { notifyAt?: string | null }>(offers: Offer[]): [string, Offer[]][] {
  const tiers = new Map<string, Offer[]>();
  for (const offer of offers) {
    const time = offer.notifyAt ?? "";
    tiers.set(time, [...(tiers.get(time) ?? []), offer]);
  }
  return [...tiers];
}
