import type { OptionPartsFragment, PersonPartsFragment, TeamPartsFragment } from "../../gql/teams/graphql";

type Member = NonNullable<TeamPartsFragment["members"]>["data"][number];

/** Somebody who has to do with a team: its creator, a member, or a user who only has a distribution option. */
export interface Person {
  user: PersonPartsFragment;
  isCreator: boolean;
  member: Member | null;
  option: OptionPartsFragment | null;
}

export function nameOf({ firstName, lastName }: { firstName: string; lastName: string }): string {
  return [firstName, lastName].filter(Boolean).join(" ") || "Unknown name";
}

/** Everybody of a team in the order in which they are offered leads; those who are not offered any come last. */
export function peopleOf(team: TeamPartsFragment): Person[] {
  const people = new Map<string, Person>();
  const { id } = team.creator;
  people.set(id, { user: team.creator, isCreator: true, member: null, option: null });
  for (const member of team.members?.data ?? []) {
    people.set(member.user.id, { user: member.user, isCreator: member.user.id === id, member, option: null });
  }
  for (const option of team.distributionOptions?.data ?? []) {
    const { user } = option;
    const known = people.get(user.id) ?? { user, isCreator: false, member: null };
    people.set(user.id, { ...known, option });
  }
  const place = placeBy(team.orderMethod);
  return [...people.values()].sort((one, other) => {
    const [first, second] = [place(one.option), place(other.option)];
    return first === second ? Number(one.option?.id ?? 0) - Number(other.option?.id ?? 0) : first - second;
  });
}

/** The order of people by rank is `Number.MAX_VALUE` for those without one, and infinite without an option. */
function placeBy(method: TeamPartsFragment["orderMethod"]): (option: OptionPartsFragment | null) => number {
  return (option) => {
    if (!option) return Infinity;
    if (method === "RANK") return option.rank ?? Number.MAX_VALUE;
    return method === "TIME" ? option.minsUntilLeadOffer : 0;
  };
}
