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
  exhausted: { label: "Nobody took it", color: "red", where: { exhausted: true } },
};

/**
 * The status of a lead for its creator. The API gives others neither the rollout's team nor the next step. Imported
 * offers belong to no rollout and have no next step, but while one is open, the lead is on offer.
 */
export function statusOf({ claimedBy, rolloutTeam, nextStep, openOffers }: StatusFields): LeadStatus {
  if (claimedBy) return "held";
  if (openOffers.total > 0) return "running";
  if (!rolloutTeam) return "new";
  return nextStep ? "running" : "exhausted";
}
