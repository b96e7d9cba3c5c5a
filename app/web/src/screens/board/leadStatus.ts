import type { BoardLeadFragment, LeadWhere } from "../../gql/board/graphql";

/** What the status of a lead depends on. */
export type StatusFields = Pick<BoardLeadFragment, "claimedBy" | "rolloutTeam" | "nextStep" | "openOffers">;

export type LeadStatus = "new" | "running" | "held" | "exhausted";

interface StatusWords {
  label: string;
  color: string;
  /** The leads that have the status. */
  where: LeadWhere;
}

export const STATUSES: Record<LeadStatus, StatusWords> = {
  new: { label: "Not submitted", color: "gray", where: { submitted: false, claimed: false } },
  running: { label: "Running", color: "blue", where: { submitted: true, claimed: false, exhausted: false } },
  held: { label: "Held", color: "green", where: { claimed: true } },
  exhausted: { label: "Nobody claimed it", color: "red", where: { submitted: true, exhausted: true } },
};

/**
 * The status of a lead for its creator. The API gives others neither the rollout's team nor the next step. A lead that
 * nobody claimed in time may have open offers still. Imported offers belong to no rollout and have no next step, but
 * while one is open, the lead is on offer.
 */
export function statusOf({ claimedBy, rolloutTeam, nextStep, openOffers }: StatusFields): LeadStatus {
  if (claimedBy) return "held";
  if (rolloutTeam) return nextStep ? "running" : "exhausted";
  return openOffers.total > 0 ? "running" : "new";
}
