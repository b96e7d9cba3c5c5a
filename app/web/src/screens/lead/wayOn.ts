import type { LeadDetailsFragment } from "../../gql/lead/graphql";
import { statusOf } from "../board/leadStatus";
import { LOCALE } from "../../time/locale";

/** What the creator of a lead that is held, or that nobody claimed, can do next; null where the rollout says it. */
export function wayOnOf(lead: LeadDetailsFragment): string | null {
  const { viewerCanAssign, viewerCanRelease, viewerCanSubmit } = lead;
  switch (statusOf(lead)) {
    case "held":
      return choiceOf(
        viewerCanRelease && "release it so that it is offered again",
        viewerCanAssign && "assign it to somebody else",
      );
    case "exhausted":
      return [
        endOf(lead),
        choiceOf(viewerCanSubmit && "submit it to offer it again", viewerCanAssign && "assign it to somebody"),
      ].join(" ");
    default:
      return null;
  }
}

/** How a lead that was not submitted gets to somebody, or what stands in the way. */
export function firstStepOf(lead: LeadDetailsFragment): string {
  const { distributionTarget, teamSelectionMethod, team, zipcode, viewerCanSubmit } = lead;
  if (distributionTarget === "MYSELF") return "It stays with you. You can assign it to somebody.";
  if (teamSelectionMethod === "ZIPCODE") {
    if (!zipcode) return "It has no ZIP code, so no team can be chosen for it. Assign it to somebody.";
    if (viewerCanSubmit) return `Submit it to offer it to your team for ZIP code ${zipcode}.`;
    return `No team of yours for ZIP code ${zipcode} can be offered it now. Check the ZIP codes and the members of your teams, or assign it to somebody.`;
  }
  if (!team) return "Its team no longer exists. Assign it to somebody.";
  if (viewerCanSubmit) return `Submit it to offer it to ${team.name}.`;
  return `Nobody in ${team.name} can be offered it now. Check the members of the team, or assign it to somebody.`;
}

function endOf({ openOffers: { total }, rollouts }: LeadDetailsFragment): string {
  const offers = rollouts?.flatMap(({ createdOffers }) => createdOffers) ?? [];
  if (total > 0) {
    return `Nobody claimed it in time. ${total === 1 ? "1 person" : `${total.toLocaleString(LOCALE)} people`} can still claim it.`;
  }
  return offers.length > 0 && offers.every(({ status }) => status === "DECLINED")
    ? "Everybody who was offered it declined it."
    : "Nobody claimed it, and its offers have ended.";
}

/** Such as "You can submit it, or assign it.", of what is possible. */
function choiceOf(...ways: (string | false)[]): string {
  const possible = ways.filter(Boolean);
  return possible.length > 0 ? `You can ${possible.join(", or ")}.` : "";
}
