import type { FigureRow } from "./FiguresTable";

/** Why leads have no time to claim, and what to do about it. */
export function leadsWithoutTimes(groups: { offered: number; claimed: number }[]): string {
  if (groups.some(({ claimed }) => claimed > 0)) {
    return "There is no time to claim yet: the claimed leads were assigned to somebody, so that nobody had to answer. It counts from the first lead that somebody claims.";
  }
  if (groups.some(({ offered }) => offered > 0)) {
    return "There is no time to claim yet: nobody has claimed one of these leads. See on the board which of them are still open.";
  }
  return "There is no time to claim yet: none of these leads has been offered to anybody. Submit them on the board.";
}

/** Why members have no time to claim, and what to do about it. */
export function membersWithoutTimes(members: { claims: number }[]): string {
  return members.some(({ claims }) => claims > 0)
    ? "There is no time to claim yet: all claimed leads were assigned to the members, so that nobody had to answer."
    : "There is no time to claim yet: none of them has claimed a lead. Check the alerts of the members under Teams.";
}

/** Whether a row has a time to claim, so that a chart has something to show. */
export function hasTime({ timeToClaim }: FigureRow): boolean {
  return timeToClaim.median != null;
}
