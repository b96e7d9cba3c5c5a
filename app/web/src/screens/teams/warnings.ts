import type { WarningPartsFragment } from "../../gql/teams/graphql";

/** What a warning says about a member. */
const ABOUT_MEMBER: Partial<Record<WarningPartsFragment["code"], string>> = {
  CHANNEL_NOT_SET_UP: "An alert is switched on that this server cannot send.",
  INVITATION_NOT_ACCEPTED: "They are offered no leads until they accept an invitation to the team.",
  NEVER_REACHED: "They are never offered a lead: each one is assigned to somebody before them.",
  NO_USABLE_CHANNEL: "They are not notified of offers: no alert is switched on that can reach them.",
};

const ABOUT_TEAM: Partial<Record<WarningPartsFragment["code"], string>> = {
  LIMIT_WITHOUT_NEXT_TEAM: "Only some members are offered a lead, and no next team follows if none of them claims it.",
  NEXT_TEAM_HAS_NOBODY: "Nobody in the next team can be offered leads.",
};

/** Warnings beside a member. */
export function memberWarnings(warnings: WarningPartsFragment[], userId: string): string[] {
  return warnings.filter(({ user }) => user?.id === userId).map(({ code }) => ABOUT_MEMBER[code] ?? UNKNOWN);
}

/** Warnings about the settings of the team. */
export function settingsWarnings(warnings: WarningPartsFragment[]): string[] {
  return warnings.filter(({ user, zipcode }) => !user && !zipcode).map(({ code }) => ABOUT_TEAM[code] ?? UNKNOWN);
}

/** Warnings about ZIP codes. */
export function zipcodeWarnings(warnings: WarningPartsFragment[]): string[] {
  const zipcodes = warnings.flatMap(({ zipcode }) => (zipcode ? [zipcode] : []));
  if (zipcodes.length === 0) return [];
  return [`An older team of yours also has these ZIP codes and gets their leads: ${zipcodes.join(", ")}.`];
}

const UNKNOWN = "Something in these settings does not work as it seems to.";
